import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import { useBrowserApp, inApp, openApp } from '../support/browser/browser-app.js';
import { AXE_SCRIPT, currentFlawsOf } from '../support/browser/flaws.js';
import { PASSWORD } from '../support/oauth/oauth.js';
import { until } from '../support/app/until.js';

const LONG = 'W'.repeat(100);

const setting = useBrowserApp();
let context: BrowserContext;
beforeEach(async () => {
  context = await setting.newContext();
  await setting.gatehouse.database.query('DELETE FROM attempts; DELETE FROM credentials');
});
afterEach(() => context.close());

/** Signs in from the settings page, by keyboard only. */
async function signIn(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${setting.issuer}/settings/tokens`);
  await page.waitForURL('**/login?return_to=*');
  // The first field has the focus.
  await page.locator('#email:focus').pressSequentially(setting.user.email);
  await page.keyboard.press('Tab');
  await page.locator('#password:focus').pressSequentially(PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/settings/tokens');
  return page;
}

async function makeToken(page: Page, name: string): Promise<string> {
  await page.getByRole('link', { name: 'New token' }).first().press('Enter');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.keyboard.press('Enter');
  return page.locator('#secret').innerText();
}

async function statusOf(token: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${setting.issuer}/api/v1/me`, { headers })).status;
}

describe('a person with a keyboard', () => {
  it('signs in, creates a token, revokes it and signs out', async () => {
    const page = await signIn();
    const token = await makeToken(page, 'Laptop');
    expect(await statusOf(token)).toBe(200);
    await page.getByRole('button', { name: 'Copy', exact: true }).press('Enter');
    await page.getByRole('link', { name: 'Done' }).press('Enter');
    await page.getByRole('link', { name: 'Laptop', exact: true }).press('Enter');
    await page.getByLabel('to confirm').fill('Laptop');
    await page.getByRole('button', { name: 'Revoke' }).press('Enter');
    await page.waitForURL('**/settings/tokens?*done=revoked');
    await page.getByRole('status').waitFor();
    expect(await statusOf(token)).toBe(401);

    await page.getByRole('button', { name: 'Sign out' }).press('Enter');
    await page.waitForURL('**/login');
    await page.goBack();
    await page.waitForURL('**/login?return_to=*');
  });

  it('is led to the first fault of a refused form', async () => {
    const page = await signIn();
    await page.goto(`${setting.issuer}/settings/tokens/new`);
    await page.getByLabel('Name', { exact: true }).fill('Laptop');
    await page.getByLabel('Chosen scopes.').check();
    const ticked = page.locator('input[name=scope]:checked');
    while ((await ticked.count()) > 0) await ticked.first().uncheck();
    await page.getByLabel('Expires after').selectOption('date');
    await page.getByRole('button', { name: 'Create', exact: true }).press('Enter');
    await page.getByText('Choose at least one scope').waitFor();
    await page.locator('input[name=scope]:focus').waitFor();
  });

  it('reads that a token which was just rotated ends in 24 hours', async () => {
    const page = await signIn();
    await makeToken(page, 'Laptop');
    await page.getByRole('button', { name: 'Copy', exact: true }).press('Enter');
    await page.getByRole('link', { name: 'Done' }).press('Enter');
    await page.getByRole('link', { name: 'Laptop', exact: true }).press('Enter');
    const old = page.url();
    await page.getByRole('button', { name: 'Rotate' }).press('Enter');
    await page.getByRole('button', { name: 'Copy', exact: true }).press('Enter');
    await page.goto(old);
    await page.getByText('replaces this one, which ends in 24 hours.').waitFor();
  });

  it('does not see a token again with the Back button', async () => {
    const page = await signIn();
    const token = await makeToken(page, 'Laptop');
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('link', { name: 'Done' }).click();
    await page.waitForURL('**/settings/tokens?tenant=acme&env=live*');
    await page.goBack().catch(() => undefined);
    expect(await page.content()).not.toContain(token);
  });
});

describe('the pages', () => {
  it.each(['light', 'dark'] as const)(
    'fit a narrow screen without a violation of axe-core, long names included: %s',
    async (scheme) => {
      await context.addInitScript({ content: AXE_SCRIPT });
      const page = await signIn();
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width: 320, height: 640 });
      await makeToken(page, LONG);
      expect(await currentFlawsOf(page)).toEqual([]);
      await page.getByRole('button', { name: 'Copy', exact: true }).click();
      await page.getByRole('link', { name: 'Done' }).click();
      await page.getByText(LONG).first().waitFor();
      expect(await currentFlawsOf(page)).toEqual([]);
      await page.getByRole('link', { name: LONG }).click();
      await page.getByRole('button', { name: 'Revoke' }).waitFor();
      expect(await currentFlawsOf(page)).toEqual([]);
    },
  );

  it('do not violate their own policy', async () => {
    const refused: string[] = [];
    context.on('console', (message) => refused.push(message.text()));
    const page = await signIn();
    await makeToken(page, 'Laptop');
    expect(refused).toEqual([]);
  });
});

describe('another site', () => {
  it.each(['/login', '/settings/tokens'])('cannot frame %s', async (path) => {
    await signIn();
    const attacker = await context.newPage();
    await attacker.goto(setting.site.origin);
    await inApp(attacker, 'frame', setting.issuer + path);
    await until(() => attacker.frames()[1]?.url().startsWith('chrome-error:') === true);
  });

  it('cannot sign anybody in or out, or create a token, even with a CSRF token', async () => {
    const page = await signIn();
    const csrf = await page.locator('input[name=csrf]').first().inputValue();
    const token = { name: 'Theirs', access: 'write', expires: 'never' };
    const attempts = [
      ['/login', 403, { email: setting.user.email, password: PASSWORD }],
      ['/logout', 403, {}],
      // The browser sends no session cookie from there, so the login page is shown.
      ['/settings/tokens/new?tenant=acme', 303, token],
    ] as const;
    for (const [path, status, fields] of attempts) {
      const attacker = await context.newPage();
      await attacker.goto(setting.site.origin);
      const url = setting.issuer + path;
      const answer = attacker.waitForResponse((response) => response.url() === url);
      await inApp(attacker, 'submit', url, { ...fields, csrf });
      expect((await answer).status()).toBe(status);
    }
    await page.reload();
    expect(page.url()).toContain('/settings/tokens');
    expect(await setting.gatehouse.database.query('SELECT id FROM credentials')).toEqual([]);
  });

  it('cannot call the API with the session of a visitor', async () => {
    await signIn();
    const attacker = await openApp(context, setting);
    const call = (headers: string) =>
      attacker.evaluate(
        `fetch('${setting.issuer}/api/v1/session', { credentials: 'include', headers: ${headers} })
           .then((answer) => answer.status, () => 'refused by the browser')`,
      );
    expect(await call('{}')).toBe('refused by the browser');
    expect(await call(`{ 'X-CSRF-Token': 'x' }`)).toBe('refused by the browser');
  });

  it('lacks the CSRF proof of a page', async () => {
    const page = await signIn();
    const answer = await page.request.get(`${setting.issuer}/api/v1/session`, {
      headers: {
        'X-CSRF-Token': (await page.getAttribute('meta[name=csrf-token]', 'content')) ?? '',
      },
    });
    expect(await answer.json()).toMatchObject({ data: { email: setting.user.email } });
  });
});
