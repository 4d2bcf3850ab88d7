import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext } from 'playwright-core';

import { until } from '../support/app/until.js';
import {
  BROWSER_TIMEOUT_MS,
  createBrowserApp,
  decide,
  inApp,
  openApp,
  signIn,
  type BrowserApp,
} from '../support/browser/browser-app.js';
import { ONWARD } from '../support/browser/static-site.js';
import { watch } from '../support/browser/watch.js';
import { createUser } from '../support/oauth/oauth.js';

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
