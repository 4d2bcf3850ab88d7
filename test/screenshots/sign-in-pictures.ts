import type { Page } from 'playwright-core';

import { createTestApp, ITSELF } from '../support/app/app.js';
import { entryOf, writeProviders } from '../support/oauth/sign-in-provider.js';
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

/** The login page with sign-in providers. */
export const SIGN_IN_PICTURES: readonly Picture[] = [
  { name: 'login-one-provider', path: '', prepare: (page) => showProviders(page, 1) },
  { name: 'login-three-providers', path: '', prepare: (page) => showProviders(page, 3) },
  {
    name: 'login-without-passwords',
    path: '',
    prepare: (page) => showProviders(page, 3, { passwordSignIn: false }),
  },
];
