import type { Page } from 'playwright-core';

import { createTestApp, ITSELF, type TestApp } from '../app/app.js';
import {
  createFakeProvider,
  entryOf,
  type FakeProvider,
  writeProviders,
} from './sign-in-provider.js';

/** A server with two providers that sign a real browser in at once, as the same person. */
export interface ProvidersInBrowser {
  readonly gatehouse: TestApp;
  readonly issuer: string;
  readonly email: string;
  /** Signs in at `Acme SSO`. */
  signIn(page: Page): Promise<void>;
  /** Fills in the form of a personal token an hour after the sign-in, and submits it. */
  submitOldForm(page: Page): Promise<void>;
  close(): Promise<void>;
}

const EMAIL = 'pat@acme.test';

export async function createProvidersInBrowser(): Promise<ProvidersInBrowser> {
  const [acme, other] = await Promise.all([createFakeProvider(), createFakeProvider()]);
  for (const provider of [acme, other]) signInAtOnce(provider);
  const gatehouse = await createTestApp({
    ISSUER: ITSELF,
    OUTBOUND_ALLOW_LOOPBACK: 'true',
    SIGN_IN_PROVIDERS: writeProviders({
      providers: [
        {
          ...entryOf(acme, 'acme', 'Acme SSO'),
          trustedForDomains: ['acme.test'],
          tenant: 'acme',
          defaultRole: 'member',
        },
        entryOf(other, 'other', 'The Very Long Name of a Company That Builds Houses'),
      ],
    }),
  });
  await gatehouse.createTenant('acme');
  const { ISSUER: issuer } = gatehouse.config;
  return {
    gatehouse,
    issuer,
    email: EMAIL,
    async signIn(page) {
      await page.goto(`${issuer}/login`);
      await page.getByRole('button', { name: 'Continue with Acme SSO' }).click();
      await page.waitForURL(`${issuer}/settings/**`);
    },
    async submitOldForm(page) {
      await gatehouse.database.query(
        `UPDATE sessions SET created_at = created_at - interval '1 hour'`,
      );
      await page.goto(`${issuer}/settings/tokens/new`);
      await page.getByLabel('Name', { exact: true }).fill('My laptop');
      await page.locator('main form button[type=submit].primary').click();
      await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor();
    },
    async close() {
      await gatehouse.close();
      await Promise.all([acme.close(), other.close()]);
    },
  };
}

/** The authorization endpoint sends the browser back with a code. */
function signInAtOnce(provider: FakeProvider): void {
  provider.server.pages.set('/authorize', (request, response) => {
    const auth_time = Math.floor(Date.now() / 1000);
    const claims = { sub: 'pat', email: EMAIL, email_verified: true, auth_time };
    const url = new URL(request.url ?? '', provider.issuer).href;
    response.writeHead(302, { Location: provider.authorize(url, claims).callback }).end();
  });
}
