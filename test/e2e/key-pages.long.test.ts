import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, ITSELF, type TestApp } from '../support/app/app.js';
import { BROWSER_TIMEOUT_MS } from '../support/browser/browser-app.js';
import { launchBrowser, type RealBrowser } from '../support/browser/browser.js';
import { createUser, PASSWORD, type TestUser } from '../support/oauth/oauth.js';

let gatehouse: TestApp;
let tenant: Tenant;
let admin: TestUser;
let real: RealBrowser;
let context: BrowserContext;
beforeAll(async () => {
  gatehouse = await createTestApp({ ISSUER: ITSELF });
  tenant = await gatehouse.createTenant('acme');
  admin = await createUser(gatehouse, [[tenant, 'company_admin']]);
  real = await launchBrowser();
}, BROWSER_TIMEOUT_MS);
afterAll(async () => {
  await real.close();
  await gatehouse.close();
});
afterEach(async () => {
  await context.close();
  await gatehouse.database.query('DELETE FROM attempts; DELETE FROM credentials');
});

/** Signs in, and collects what the policy of a page refuses. */
async function signIn(options: Parameters<RealBrowser['browser']['newContext']>[0] = {}) {
  context = await real.browser.newContext(options);
  context.setDefaultTimeout(25_000);
  const refused: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error') refused.push(message.text());
  });
  const page = await context.newPage();
  await page.goto(`${gatehouse.config.ISSUER}/settings/api-keys`);
  await page.getByLabel('Email').fill(admin.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/settings/api-keys');
  return { page, refused };
}

const statusOf = async (key: string) =>
  (await fetch(`${gatehouse.config.ISSUER}/api/v1/me`, { headers: { 'X-API-Key': key } })).status;

const nameField = (page: Page) => page.getByRole('textbox', { name: 'Name' });

describe('an administrator with a keyboard', () => {
  it('makes a key, copies it, finds it, uses it, and revokes it', async () => {
    const { page, refused } = await signIn({ permissions: ['clipboard-read', 'clipboard-write'] });
    await page.getByRole('link', { name: 'New key' }).first().press('Enter');
    await nameField(page).pressSequentially('Nightly export');
    await page.getByRole('button', { name: 'Read only' }).press('Enter');
    expect(await page.locator('[data-scope-summary]').innerText()).toBe(
      'It reads 10 kinds of records and has 3 other scopes.',
    );
    await page.getByRole('button', { name: 'Toggle all of contacts' }).press('Enter');
    await page.getByRole('button', { name: 'Add my address' }).press('Enter');
    expect(await page.getByLabel('Allowed addresses').inputValue()).toBe('127.0.0.1');
    await nameField(page).press('Enter');

    const secret = await page.locator('#secret').innerText();
    // Its button has the focus.
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(secret);
    expect(await statusOf(secret)).toBe(200);
    await page.reload();
    await page.getByRole('heading', { name: 'Already shown' }).waitFor();
    expect(await page.content()).not.toContain(secret);

    await page.getByRole('link', { name: 'All keys' }).press('Enter');
    await page.locator('tr.fresh').waitFor();
    await page.getByRole('link', { name: 'Nightly export' }).press('Enter');
    await page.getByLabel('Type Nightly export to confirm').pressSequentially('Nightly export');
    await page.keyboard.press('Enter');
    await page.getByRole('status').first().waitFor();
    expect(await statusOf(secret)).toBe(401);
    expect(refused).toEqual([]);
  });

  it('copies by a click on the text, with the confirmation of the button', async () => {
    const { page } = await signIn({ permissions: ['clipboard-read', 'clipboard-write'] });
    const copied = () => page.evaluate('navigator.clipboard.readText()');
    await page.getByRole('link', { name: 'New key' }).first().click();
    await nameField(page).fill('Nightly export');
    await page.getByRole('button', { name: 'Read only' }).click();
    await nameField(page).press('Enter');
    const text = page.locator('#secret');
    const button = page.locator('[data-copy-from=secret]');
    await text.click();
    await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
    expect(await copied()).toBe(await text.innerText());
    await button.click();
    await page.getByRole('button', { name: 'Copied' }).waitFor({ state: 'detached' });
    expect(await button.innerText()).toBe('Copy');
    await page.locator('#env').click();
    await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
    expect(await copied()).toMatch(/^[A-Z_]+_API_KEY=/);

    // It was copied: leaving does not ask, which would hold the navigation up.
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('link', { name: 'Nightly export' }).click();
    const id = page.locator('dl .copy > code').first();
    await page.getByRole('button', { name: 'Copy the id' }).waitFor();
    await id.click();
    await page.getByRole('button', { name: 'Copied', exact: true }).waitFor();
    expect(await copied()).toBe(await id.innerText());
  });

  it('opens and closes the menus, and the drawer of a narrow screen', async () => {
    await gatehouse.createKey(tenant, { name: 'Export' });
    const { page } = await signIn({ viewport: { width: 360, height: 700 } });
    await page.getByText('Actions for Export').locator('..').press('Enter');
    await page.getByRole('link', { name: 'Rotate' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Rotate' }).waitFor({ state: 'hidden' });
    const machines = page.getByRole('link', { name: 'Machine credentials' });
    expect(await machines.isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Menu' }).press('Enter');
    await machines.press('Enter');
    await page.waitForURL('**/settings/machine-credentials?*');
  });
});

describe('the form of a key', () => {
  it('says as text why boxes are grey, and shows what belongs to a chosen expiry', async () => {
    const { id } = await gatehouse.createKey(tenant, {
      name: 'Export',
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    });
    const { page } = await signIn();
    await page.goto(`${gatehouse.config.ISSUER}/settings/api-keys/new?tenant=acme&env=live`);
    const reason = page.getByText('Grey boxes: not for keys of this kind.');
    expect(await reason.count()).toBe(0);
    await page.getByRole('radio', { name: /^Secret/ }).focus();
    await page.keyboard.press('ArrowUp');
    expect(await page.getByRole('radio', { name: /^Publishable/ }).isChecked()).toBe(true);
    expect(await reason.isVisible()).toBe(true);
    await page.keyboard.press('ArrowDown');
    expect(await reason.count()).toBe(0);

    await page.goto(`${gatehouse.config.ISSUER}/settings/api-keys/${id}?tenant=acme&env=live`);
    const warning = page.getByText('A key that never expires works until somebody revokes it');
    const day = page.getByLabel('Day', { exact: true });
    expect([await warning.isVisible(), await day.isVisible()]).toEqual([false, true]);
    await page.getByLabel('Expires after').selectOption('Never');
    expect([await warning.isVisible(), await day.isVisible()]).toEqual([true, false]);
    const parts = page.getByRole('navigation', { name: 'On this page' }).getByRole('link');
    expect(await parts.allInnerTexts()).toEqual(['Edit', 'Rotate', 'Revoke']);
  });
});

describe('a browser without scripts', () => {
  it('makes, rotates and revokes a key', async () => {
    const { page } = await signIn({ javaScriptEnabled: false });
    await page.getByRole('link', { name: 'New key' }).first().click();
    await nameField(page).fill('Export');
    await page.getByRole('button', { name: 'Read only' }).click();
    expect(await nameField(page).inputValue()).toBe('Export');
    await page.getByRole('button', { name: 'Create', exact: true }).last().click();
    const first = await page.locator('#secret').innerText();
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('link', { name: 'Export' }).click();
    await page.getByRole('button', { name: 'Rotate' }).click();
    const second = await page.locator('#secret').innerText();
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);
    await page.getByRole('link', { name: 'Done' }).click();
    await page.getByRole('link', { name: 'Export' }).last().click();
    await page.getByRole('button', { name: 'End now' }).click();
    await page.getByRole('status').waitFor();
    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);
  });
});

describe('the pages of keys', () => {
  it.each([320, 360, 768, 1000, 1280])('fit a screen of %d px', async (width) => {
    const unbroken = { name: 'W'.repeat(80) };
    const { id } = await gatehouse.createKey(tenant, unbroken);
    await gatehouse.createKey(tenant, {
      ...unbroken,
      kind: 'publishable',
      scopes: ['products:read'],
    });
    const { page } = await signIn({ viewport: { width, height: 800 } });
    for (const path of ['', '/new', `/${id}`]) {
      await page.goto(`${gatehouse.config.ISSUER}/settings/api-keys${path}?tenant=acme&env=live`);
      for (const forcedColors of ['none', 'active'] as const) {
        await page.emulateMedia({ forcedColors });
        const excess = await page.evaluate(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        expect({ path, excess }).toEqual({ path, excess: 0 });
      }
    }
  });
});
