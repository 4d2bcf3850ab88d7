import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext } from 'playwright-core';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  BROWSER_TIMEOUT_MS,
  createBrowserApp,
  decide,
  inApp,
  openApp,
  signIn,
  type BrowserApp,
} from '../support/browser/browser-app.js';
import { createUser, PASSWORD } from '../support/oauth/oauth.js';
import { watch } from '../support/browser/watch.js';
import { until } from '../support/app/until.js';

let setting: BrowserApp;
let context: BrowserContext;
beforeAll(async () => {
  setting = await createBrowserApp();
}, BROWSER_TIMEOUT_MS);
afterAll(() => setting.close());
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
