import type { Page } from 'playwright-core';

import { createTestApp, ITSELF } from '../support/app/app.js';
import { entryOf, writeProviders } from '../support/oauth/sign-in-provider.js';
import {
  createProvidersInBrowser,
  type ProvidersInBrowser,
} from '../support/oauth/provider-in-browser.js';
import type { Picture } from './pictures.js';

const NAMES = [
  'Acme SSO',
  'شركة البناء الحديثة',
  'The Very Long Name of a Company That Builds Houses',
];

/** Shows the login page of a server with so many providers. None of them is asked before a button is pressed. */
async function showProviders(page: Page, count: number, document: object = {}): Promise<void> {
  const providers = NAMES.slice(0, count).map((name, index) =>
    entryOf({ issuer: `https://sso-${index}.example.com` }, `sso-${index}`, name),
  );
  const gatehouse = await createTestApp({
    ISSUER: ITSELF,
    SIGN_IN_PROVIDERS: writeProviders({ ...document, providers }),
  });
  try {
    await page.goto(`${gatehouse.config.ISSUER}/login`);
    await page.waitForLoadState('networkidle');
  } finally {
    await gatehouse.close();
  }
}

/** Shows a page of a user who signed in at a provider. */
async function showSignedIn(
  page: Page,
  show: (world: ProvidersInBrowser) => Promise<unknown>,
): Promise<void> {
  const world = await createProvidersInBrowser();
  try {
    await world.signIn(page);
    await show(world);
    await page.waitForLoadState('networkidle');
  } finally {
    await world.close();
  }
}

const isNewToken = (url: URL) => url.pathname === '/settings/tokens/new';

/** The pages with sign-in providers. */
export const SIGN_IN_PICTURES: readonly Picture[] = [
  { name: 'login-one-provider', path: '', prepare: (page) => showProviders(page, 1) },
  { name: 'login-three-providers', path: '', prepare: (page) => showProviders(page, 3) },
  {
    name: 'login-without-passwords',
    path: '',
    prepare: (page) => showProviders(page, 3, { passwordSignIn: false }),
  },
  {
    name: 'profile-providers',
    path: '',
    prepare: (page) => showSignedIn(page, ({ issuer }) => page.goto(`${issuer}/settings/profile`)),
  },
  {
    name: 'confirm-at-provider',
    path: '',
    prepare: (page) => showSignedIn(page, (world) => world.submitOldForm(page)),
  },
  {
    name: 'to-provider',
    path: '',
    prepare: (page) =>
      showSignedIn(page, async (world) => {
        await world.submitOldForm(page);
        // The browser stays on the page.
        await page.route('**/authorize?*', (route) => route.fulfill({ status: 204 }));
        await page.getByRole('button', { name: 'Continue with Acme SSO' }).click();
        await page.getByRole('link', { name: 'Continue at Acme SSO' }).waitFor();
      }),
  },
  {
    name: 'confirmed',
    path: '',
    prepare: (page) =>
      showSignedIn(page, async (world) => {
        await world.submitOldForm(page);
        // The browser stays on the page, which submits its form at once.
        await page.route(isNewToken, (route) =>
          route.request().postData()?.includes('confirm_provider') === true
            ? route.continue()
            : route.fulfill({ status: 204 }),
        );
        await page.getByRole('button', { name: 'Continue with Acme SSO' }).click();
        await page.getByRole('heading', { name: 'You have confirmed that it is you' }).waitFor();
      }),
  },
];
