import { expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { UserManager, UserManagerSettings } from 'oidc-client-ts';
import type { Page } from 'playwright-core';

import { useBrowserApp, decide, signIn } from '../support/browser/browser-app.js';
import { registerClient } from '../support/oauth/oauth.js';

const LIBRARY = path.join(
  path.dirname(createRequire(import.meta.url).resolve('oidc-client-ts')),
  '../browser/oidc-client-ts.min.js',
);

const setting = useBrowserApp();

/** Loads the library into the page, as a script of the app would be. */
async function load(page: Page, settings: UserManagerSettings): Promise<void> {
  await page.addScriptTag({ path: LIBRARY });
  await page.evaluate(`window.users = new oidc.UserManager({
    ...${JSON.stringify(settings)},
    userStore: new oidc.WebStorageStateStore({ store: window.sessionStorage }),
  })`);
}

const call = (page: Page, method: keyof UserManager) => page.evaluate(`users.${method}()`);
/** Calls a method that navigates away and never returns. */
const leave = (page: Page, method: keyof UserManager) => page.evaluate(`void users.${method}()`);

it('oidc-client-ts signs in from another origin, refreshes, revokes and signs out', async () => {
  const { gatehouse, site, issuer, user } = setting;
  const { client_id: clientId } = await registerClient(gatehouse, {
    redirect_uris: [`${site.origin}/callback`],
    post_logout_redirect_uris: [`${site.origin}/bye`],
  });
  const settings = {
    authority: issuer,
    client_id: clientId,
    redirect_uri: `${site.origin}/callback`,
    post_logout_redirect_uri: `${site.origin}/bye`,
    scope: 'openid email contacts:read offline_access',
    automaticSilentRenew: false,
    loadUserInfo: true,
  };
  const context = await setting.newContext();
  const page = await context.newPage();
  const status = (token: string) =>
    fetch(`${issuer}/api/v1/me`, { headers: { Authorization: `Bearer ${token}` } }).then(
      (answer) => answer.status,
    );

  await page.goto(site.origin);
  await load(page, settings);
  await leave(page, 'signinRedirect');
  await signIn(page, user);
  await decide(page, 'Allow');
  await page.waitForURL(`${site.origin}/callback?*`);

  await load(page, settings);
  const first = (await call(page, 'signinCallback')) as {
    readonly access_token: string;
    readonly profile: object;
  };
  expect(first.profile).toMatchObject({ sub: user.id, email: user.email });
  expect(await status(first.access_token)).toBe(200);

  const renewed = (await call(page, 'signinSilent')) as { readonly access_token: string };
  expect(renewed.access_token).not.toBe(first.access_token);
  expect(await status(renewed.access_token)).toBe(200);

  await call(page, 'revokeTokens');
  expect(await status(renewed.access_token)).toBe(401);

  await leave(page, 'signoutRedirect');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`${site.origin}/bye*`);
  await context.close();
});
