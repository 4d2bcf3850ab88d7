import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext } from 'playwright-core';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useBrowserApp, decide, inApp, openApp, signIn } from '../support/browser/browser-app.js';
import { createUser, PASSWORD } from '../support/oauth/oauth.js';
import { ONWARD } from '../support/browser/static-site.js';
import { watch } from '../support/browser/watch.js';
import { until } from '../support/app/until.js';

const setting = useBrowserApp();
let context: BrowserContext;
beforeEach(async () => {
  context = await setting.newContext();
  await setting.gatehouse.database.query('DELETE FROM attempts');
});
afterEach(() => context.close());

const WEB = 'https://app.example.com/callback';
const APP = 'cursor://anysphere.cursor-mcp/oauth/callback';
const REDIRECTS = [
  WEB,
  'http://127.0.0.1:33418/callback',
  'http://[::1]:33418/callback',
  'http://localhost:33418/callback',
  APP,
];
/** Targets of redirects after the callbacks of apps. */
const ONWARDS = [
  'https://www.example.org/',
  'claude://claude.ai/oauth',
  'http://localhost:33418/signed-in',
  'http://127.0.0.1:33418/signed-in',
];

describe('the redirect to the app, after a form', () => {
  /** Opens the consent page of a new authorization. */
  async function openConsent(redirect: string) {
    const page = await openApp(context, setting, [redirect]);
    const watched = watch(page);
    await inApp(page, 'authorize', redirect);
    await signIn(page, setting.user);
    await page.waitForURL('**/consent/**');
    return { page, ...watched };
  }

  it.each(REDIRECTS)('leads to %s', async (redirect) => {
    const { page, untilAt } = await openConsent(redirect);
    await decide(page, 'Allow');
    await untilAt(`${redirect}?code=bwp_ac_`);
  });

  it('works directly from the choice of a tenant and from the login page', async () => {
    const { gatehouse } = setting;
    const tenants = [await gatehouse.createTenant('one'), await gatehouse.createTenant('two')];
    const user = await createUser(
      gatehouse,
      tenants.map((tenant) => [tenant, 'manager'] as const),
    );
    const open = async () => {
      const page = await openApp(context, setting, [WEB]);
      await inApp(page, 'authorize', WEB);
      const chooseTenant = () => page.getByRole('button', { name: 'one' }).click();
      return { page, chooseTenant, ...watch(page) };
    };
    const first = await open();
    await signIn(first.page, user);
    await first.chooseTenant();
    await decide(first.page, 'Allow');
    await first.untilAt(`${WEB}?code=`);

    const second = await open();
    await second.chooseTenant();
    await second.untilAt(`${WEB}?code=`);

    const { id } = tenants[1] as Tenant;
    await gatehouse.database.query('DELETE FROM memberships WHERE tenant_id = $1', [id]);
    await context.clearCookies();
    const third = await open();
    await signIn(third.page, user);
    await third.untilAt(`${WEB}?code=`);
  });

  it.each(ONWARDS)('continues from the callback to %s', async (target) => {
    const callback = `${setting.site.origin}${ONWARD}${encodeURIComponent(target)}`;
    const { page, untilAt } = await openConsent(callback);
    await decide(page, 'Allow');
    await untilAt(target);
  });

  it.each(ONWARDS)('continues from the login page to %s', async (target) => {
    const callback = `${setting.site.origin}${ONWARD}${encodeURIComponent(target)}`;
    const page = await openApp(context, setting, [callback]);
    const { untilAt } = watch(page);
    const user = await createUser(setting.gatehouse, []);
    await inApp(page, 'authorize', callback);
    // A user without a tenant is redirected at once.
    await signIn(page, user);
    await untilAt(target);
  });

  it.each([`${WEB}/never`, APP])('would be blocked by form-action on the way to %s', async (to) => {
    const { page, refused } = await openConsent(to);
    await page.route('**/consent/*', async (route) => {
      if (route.request().method() !== 'GET') return route.continue();
      const response = await route.fetch();
      const headers = response.headers();
      const policy = `${headers['content-security-policy'] ?? ''}; form-action 'self'`;
      return route.fulfill({
        response,
        headers: { ...headers, 'content-security-policy': policy },
      });
    });
    await page.reload();
    await decide(page, 'Allow');
    await until(() => refused.length > 0);
    expect(refused[0]).toContain('form-action');
  });
});

describe('the pages, against other sites', () => {
  it.each(['login', 'consent'])('do not let the %s page be framed', async (which) => {
    const page = await openApp(context, setting);
    await inApp(page, 'authorize');
    if (which === 'consent') await signIn(page, setting.user);
    await page.waitForURL(`**/${which}/**`);
    const url = page.url();
    const attacker = await context.newPage();
    await attacker.goto(setting.site.origin);
    await inApp(attacker, 'frame', url);
    await until(() => attacker.frames()[1]?.url().startsWith('chrome-error:') === true);
  });

  it('refuse a login that another site submits', async () => {
    const page = await openApp(context, setting);
    await inApp(page, 'authorize');
    await page.waitForURL('**/login/**');
    const csrf = await page.inputValue('input[name=csrf]');
    const fields = { csrf, email: setting.user.email, password: PASSWORD };
    expect(await submitFromElsewhere(page.url(), fields)).toContain('has to be sent from a page');
    await page.reload();
    expect(page.url()).toContain('/login/');
  });

  it('refuse a consent that another site submits', async () => {
    const { gatehouse } = setting;
    const user = await createUser(gatehouse, [[await gatehouse.createTenant('new'), 'manager']]);
    const page = await openApp(context, setting);
    await inApp(page, 'authorize');
    await signIn(page, user);
    await page.waitForURL('**/consent/**');
    const csrf = await page.inputValue('input[name=csrf]');
    const fields = { csrf, decision: 'approve', scope: 'contacts:read' };
    expect(await submitFromElsewhere(page.url(), fields)).toContain('has to be sent from a page');
    const grants = await gatehouse.database.query('SELECT id FROM grants WHERE account_id = $1', [
      user.id,
    ]);
    expect(grants).toEqual([]);
  });

  /** Even with the token, as if it had leaked. */
  async function submitFromElsewhere(url: string, fields: object): Promise<string> {
    const attacker = await context.newPage();
    await attacker.goto(setting.site.origin);
    const answer = attacker.waitForResponse((response) => response.url() === url);
    await inApp(attacker, 'submit', url, fields);
    expect((await answer).status()).toBe(403);
    await attacker.waitForURL(url);
    return attacker.innerText('main');
  }
});
