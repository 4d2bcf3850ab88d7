import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import { inApp, useBrowserApp } from '../support/browser/browser-app.js';
import { END_SESSION, endSessionUrl } from '../support/oauth/end-session.js';
import { getTokens, PASSWORD, registerClient } from '../support/oauth/oauth.js';
import { ONWARD } from '../support/browser/static-site.js';
import { until } from '../support/app/until.js';

describe('logout on an app’s request, in a browser', () => {
  const setting = useBrowserApp();
  let context: BrowserContext;
  beforeEach(async () => {
    context = await setting.newContext();
    await setting.gatehouse.database.query('DELETE FROM attempts');
  });
  afterEach(() => context.close());

  /** A signed-in browser with a page of the app open. */
  async function openApp(uri: string): Promise<{ page: Page; fields: Record<string, string> }> {
    const { gatehouse, user, issuer, site } = setting;
    const client = await registerClient(gatehouse, { post_logout_redirect_uris: [uri] });
    const flow = { client, user, parameters: { scope: 'openid' } };
    const { id_token: hint = '' } = await getTokens(gatehouse, flow);
    const page = await context.newPage();
    await page.goto(`${issuer}/login`);
    await page.getByLabel('Email').fill(user.email);
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/settings/**');
    await page.goto(site.origin);
    return { page, fields: { id_token_hint: hint, post_logout_redirect_uri: uri, state: 'kept' } };
  }

  async function expectSignedOut(page: Page): Promise<void> {
    await page.goto(`${setting.issuer}/settings/tokens`);
    expect(new URL(page.url()).pathname).toBe('/login');
  }

  it('asks after another site’s form, and leads back after the click', async () => {
    const { page, fields } = await openApp(`${setting.site.origin}/bye`);
    await inApp(page, 'submit', setting.issuer + END_SESSION, fields);
    await page.waitForURL(`**${END_SESSION}?**`);
    expect(await page.textContent('main')).toContain(setting.user.email);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(`${setting.site.origin}/bye?state=kept`);
    await expectSignedOut(page);
  });

  it('follows a redirect of the app’s own page to another origin', async () => {
    const target = `http://127.0.0.1:${new URL(setting.site.origin).port}/`;
    const { page, fields } = await openApp(
      `${setting.site.origin}${ONWARD}${encodeURIComponent(target)}`,
    );
    const requested: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    await page.goto(setting.issuer + endSessionUrl(fields));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await until(() => requested.includes(target));
  });

  it('keeps the session on cancel, and cannot be framed', async () => {
    const { page, fields } = await openApp(`${setting.site.origin}/bye`);
    const url = setting.issuer + endSessionUrl(fields);
    await inApp(page, 'frame', setting.issuer + END_SESSION);
    await until(() => page.frames()[1]?.url().startsWith('chrome-error:') === true);
    await page.goto(url);
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.waitForURL('**/settings/**');
    expect(await page.textContent('nav')).toContain(setting.user.email);
  });
});
