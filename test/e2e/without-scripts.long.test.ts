import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';

import { signInAs, useWalks } from '../support/browser/walks.js';
import { createUser, PASSWORD } from '../support/oauth/oauth.js';

/** Journeys in browsers that run no scripts. Keys, tokens, consent and the palette have theirs in the other files. */
const walks = useWalks();
const UNSCRIPTED = { javaScriptEnabled: false };
const NEW_PASSWORD = 'a river runs through 12 valleys';

const press = (page: Page, name: string) =>
  page.locator('main').getByRole('button', { name, exact: true }).last().click();
const isDone = (page: Page) => page.getByRole('status').first().waitFor();

describe('a browser without scripts', () => {
  it('tests a key that it names, and chooses among several', async () => {
    for (const name of ['Night export', 'Night import']) {
      await walks.gatehouse.createKey(walks.acme, { name, scopes: ['leads:read'] });
    }
    const page = await walks.open(walks.admin, '/settings/tester', UNSCRIPTED);
    await page.getByLabel('Or choose a key').fill('night');
    await press(page, 'Test');
    await page.getByRole('radio', { name: /^Night import/ }).check();
    await press(page, 'Test');
    await page.getByRole('heading', { name: /^Accepted/ }).waitFor();
    expect(await page.locator('main dl').first().innerText()).toContain('Night import');
    await page.getByRole('checkbox', { name: 'I want to revoke' }).check();
    await press(page, 'Revoke');
    await page.getByText('The credential is revoked.').waitFor();
  });

  it('reads the warning of an expiry that becomes never, and edits a key', async () => {
    const { id } = await walks.gatehouse.createKey(walks.acme, { name: 'Edited' });
    const path = `/settings/api-keys/${id}?tenant=acme&env=live`;
    const page = await walks.open(walks.admin, '/settings/profile', UNSCRIPTED);
    await page.goto(walks.issuer + path);
    expect(await page.getByText('A key that never expires works until').isVisible()).toBe(true);
    await page.getByLabel('Expires after').selectOption('One year');
    await page.getByLabel('Requests a minute').fill('77');
    await press(page, 'Save');
    await isDone(page);
    expect(await page.locator('main').innerText()).toContain('77 requests a minute');
  });

  it('changes the name and the password, and ends another session', async () => {
    const email = 'fay@example.com';
    const fay = await createUser(walks.gatehouse, [[walks.acme, 'member']], email);
    const other = await walks.open(fay, '/settings/sessions', UNSCRIPTED);
    const page = await walks.open(fay, '/settings/sessions', UNSCRIPTED);
    await page.reload();
    const there = page.getByRole('row').filter({ hasNotText: 'This browser' });
    await there.getByRole('button', { name: /^End/ }).click();
    await isDone(page);
    await other.reload();
    await other.waitForURL('**/login?**');
    await page.goto(`${walks.issuer}/settings/profile`);
    await page.getByLabel('Your name').fill('Fay Novak');
    await press(page, 'Save name');
    await isDone(page);
    await page.getByLabel('Current password').fill(PASSWORD);
    await page.getByLabel('New password', { exact: true }).fill(NEW_PASSWORD);
    await page.getByLabel('New password again').fill(NEW_PASSWORD);
    await press(page, 'Change password');
    await isDone(page);
    await signInAs(other, email, NEW_PASSWORD);
    await other.waitForURL('**/settings/**');
  });

  it('sets a forgotten password', async () => {
    const email = 'gus@example.com';
    await createUser(walks.gatehouse, [[walks.acme, 'member']], email);
    const page = await walks.newPage(UNSCRIPTED);
    await page.goto(`${walks.issuer}/login`);
    await page.getByRole('link', { name: 'Forgot password?' }).click();
    await page.getByLabel('Email').fill(email);
    await press(page, 'Send the link');
    await page.getByText('a mail with a link').waitFor();
    await page.goto(await walks.linkTo(email));
    await page.getByLabel('New password', { exact: true }).fill(NEW_PASSWORD);
    await page.getByLabel('New password again').fill(NEW_PASSWORD);
    await press(page, 'Set password');
    await page.waitForURL((url) => url.pathname !== '/reset-password');
    const again = await walks.newPage(UNSCRIPTED);
    await again.goto(`${walks.issuer}/login`);
    await signInAs(again, email, NEW_PASSWORD);
    await again.waitForURL('**/settings/**');
  });

  it('invites a member, and changes the role of another', async () => {
    const email = 'hal@example.com';
    const page = await walks.open(walks.admin, '/settings/members', UNSCRIPTED);
    await page.getByRole('link', { name: 'Invite members' }).click();
    await page.getByLabel('Email addresses').fill('ivy@example.com');
    await press(page, 'Invite');
    await page.getByRole('heading', { name: 'Pending invitations' }).waitFor();
    const guest = await walks.newPage(UNSCRIPTED);
    await guest.goto(await walks.linkTo('ivy@example.com'));
    await guest.getByRole('heading', { level: 1 }).waitFor();

    const hal = await createUser(walks.gatehouse, [[walks.acme, 'viewer']], email);
    await page.goto(`${walks.issuer}/settings/members/of/${hal.id}?tenant=acme`);
    await page.getByRole('radio', { name: /^Manager/ }).check();
    await press(page, 'Change role');
    await isDone(page);
    await page.goto(`${walks.issuer}/settings/members?tenant=acme`);
    expect(await page.getByRole('row').filter({ hasText: email }).innerText()).toContain('Manager');
  });

  it('filters lists, opens menus, and switches the environment', async () => {
    await walks.gatehouse.createKey(walks.acme, { name: 'Found' });
    await walks.gatehouse.createKey(walks.acme, { name: 'Hidden' });
    const page = await walks.open(walks.admin, '/settings/api-keys', UNSCRIPTED);
    await page.getByRole('searchbox').first().fill('found');
    await page.getByRole('searchbox').first().press('Enter');
    await page.waitForURL('**search=found**');
    expect(await page.getByRole('link', { name: 'Hidden' }).count()).toBe(0);
    await page.getByText('Actions for Found').locator('..').click();
    await page.getByRole('link', { name: 'Rotate' }).waitFor();
    await page.getByRole('link', { name: 'Test', exact: true }).click();
    await page.waitForURL('**env=test**');
  });
});
