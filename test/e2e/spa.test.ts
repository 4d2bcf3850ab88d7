import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import { useBrowserApp, decide, inApp, openApp, signIn } from '../support/browser/browser-app.js';
import type { TokenResponse } from '../support/oauth/oauth.js';

/** The part of a response that the app's code can read. */
interface Read<Body = Readonly<Record<string, unknown>>> {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: Body;
}

const setting = useBrowserApp();
let context: BrowserContext;

async function tokensIn(page: Page, ...args: unknown[]): Promise<TokenResponse> {
  const { status, body } = await inApp<Read<TokenResponse>>(page, 'exchange', ...args);
  expect(status).toBe(200);
  return body;
}

describe('a single-page app on another origin', () => {
  beforeEach(async () => {
    context = await setting.newContext();
    await setting.gatehouse.database.query('DELETE FROM attempts');
  });
  afterEach(() => context.close());

  async function signedIn() {
    const page = await openApp(context, setting);
    await inApp(page, 'authorize');
    await signIn(page, setting.user);
    await decide(page, 'Allow');
    await page.waitForURL(`${setting.site.origin}/?code=*`);
    return { page, tokens: await tokensIn(page) };
  }

  it('signs in by navigation, and uses fetch afterwards', async () => {
    const { page, tokens } = await signedIn();
    const info = await inApp<Read>(page, 'userinfo', tokens.access_token);
    expect(info).toMatchObject({ status: 200, body: { email: setting.user.email } });

    const grant = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const { body: renewed } = await inApp<Read<TokenResponse>>(page, 'token', grant);
    expect(renewed.refresh_token).not.toBe(tokens.refresh_token);

    expect(await inApp(page, 'revoke', renewed.refresh_token)).toMatchObject({ status: 200 });
    const after = await inApp<Read>(page, 'userinfo', renewed.access_token);
    expect(after.status).toBe(401);
    expect(after.challenge).toContain('invalid_token');
    const dead = { grant_type: 'refresh_token', refresh_token: renewed.refresh_token };
    const refused = await inApp<Read>(page, 'token', dead);
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('signs in through a popup', async () => {
    const page = await openApp(context, setting);
    const opening = page.waitForEvent('popup');
    const answer = inApp<string>(page, 'authorizeInPopup');
    const popup = await opening;
    await signIn(popup, setting.user);
    await decide(popup, 'Allow');
    const search = await answer;
    expect(search).toContain('code=bwp_ac_');
    expect(await tokensIn(page, search)).toMatchObject({ token_type: 'Bearer' });
  });

  it('gets access_denied when the user cancels', async () => {
    const page = await openApp(context, setting);
    await inApp(page, 'authorize');
    await signIn(page, setting.user);
    await decide(page, 'Cancel');
    await page.waitForURL(`${setting.site.origin}/?error=access_denied*`);
  });

  it('can neither read the API, nor introspect, nor use a key', async () => {
    const { page, tokens } = await signedIn();
    const { secret: key } = await setting.gatehouse.createKey(
      await setting.gatehouse.createTenant('keys'),
    );
    const { issuer } = setting;
    const bearer = (secret: string) => ({ headers: { Authorization: `Bearer ${secret}` } });
    const introspection = `token=${tokens.access_token}&client_id=x&client_secret=y`;
    const forms = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const attempts: [string, object][] = [
      ['/api/v1/contacts', {}],
      ['/api/v1/contacts', bearer(tokens.access_token)],
      ['/api/v1/contacts', bearer(key)],
      ['/api/v1/contacts', { headers: { 'X-API-Key': key } }],
      ['/api/v1/contacts', { credentials: 'include' }],
      ['/api/v1/me', bearer(tokens.access_token)],
      ['/api/v1/oauth/introspect', { method: 'POST', headers: forms, body: introspection }],
      ['/api/v1/oauth/userinfo', bearer(key)],
      ['/api/v1/oauth/userinfo', { headers: { 'X-API-Key': key } }],
      ['/api/v1/oauth/userinfo', { ...bearer(tokens.access_token), credentials: 'include' }],
    ];
    for (const [path, options] of attempts) {
      const reading = inApp(page, 'call', issuer + path, options);
      await expect(reading).rejects.toThrow('Failed to fetch');
    }
    // A readable response proves that the page works.
    const readable = inApp(page, 'call', `${issuer}/.well-known/openid-configuration`);
    expect(await readable).toMatchObject({ status: 200 });
  });
});
