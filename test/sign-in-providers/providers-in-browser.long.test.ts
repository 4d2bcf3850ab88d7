import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';

import { launchBrowser, type RealBrowser } from '../support/browser/browser.js';
import {
  createProvidersInBrowser,
  type ProvidersInBrowser,
} from '../support/oauth/provider-in-browser.js';

const WALK_MS = 120_000;

let world: ProvidersInBrowser;
let real: RealBrowser;
beforeAll(async () => {
  world = await createProvidersInBrowser();
  real = await launchBrowser();
}, WALK_MS);
afterAll(async () => {
  await real.close();
  await world.close();
}, WALK_MS);

/** Walks in a context of its own. The policy of no page may refuse anything. */
async function walk(options: BrowserContextOptions, steps: (page: Page) => Promise<void>) {
  const context = await real.browser.newContext(options);
  const refused: string[] = [];
  context.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) refused.push(message.text());
  });
  try {
    await steps(await context.newPage());
  } finally {
    await context.close();
  }
  expect(refused).toEqual([]);
}

it.each([{ javaScriptEnabled: true }, { javaScriptEnabled: false }])(
  'a token is made after a confirmation, and providers are connected and disconnected: %o',
  (options) =>
    walk(options, async (page) => {
      await world.signIn(page);
      await world.submitOldForm(page);
      await page.getByRole('button', { name: 'Continue with Acme SSO' }).click();
      await page.getByRole('link', { name: 'Continue at Acme SSO' }).waitFor({ state: 'detached' });
      if (options.javaScriptEnabled === false) {
        await page.getByRole('heading', { name: 'You have confirmed that it is you' }).waitFor();
        await page.getByRole('button', { name: 'Continue', exact: true }).click();
      }
      await page.waitForURL('**/secret?**');
      expect(await page.locator('#secret').textContent()).toMatch(/bwp_pat_\w{49}/);

      page.on('dialog', (dialog) => void dialog.accept());
      await page.goto(`${world.issuer}/settings/profile`);
      await page.getByRole('button', { name: /^Connect The Very Long Name/ }).click();
      await page.getByText('The sign-in is connected.').waitFor();
      await page.getByRole('button', { name: /^Disconnect The Very Long Name/ }).click();
      await page.getByText('The sign-in is disconnected.').waitFor();
      await page.getByRole('button', { name: 'Disconnect Acme SSO' }).click();
      await page.getByText('You could not sign in without it.').waitFor();
    }),
  WALK_MS,
);
