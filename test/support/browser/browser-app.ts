import type { BrowserContext, Page } from 'playwright-core';

import { createTestApp, ITSELF, type TestApp } from '../app/app.js';
import { useFixture } from '../app/use-fixture.js';
import { launchBrowser, type RealBrowser } from './browser.js';
import { createUser, PASSWORD, type TestUser } from '../oauth/oauth.js';
import { createStaticSite, type StaticSite } from './static-site.js';

/** The server, a single-page app on another origin, and a real browser that can reach both. */
export interface BrowserApp {
  readonly gatehouse: TestApp;
  readonly site: StaticSite;
  readonly issuer: string;
  /** A member of one tenant. */
  readonly user: TestUser;
  /** A browser that has never been here. */
  newContext(): Promise<BrowserContext>;
  close(): Promise<void>;
}

/** The longest time that unpacking and starting a browser may take. */
export const BROWSER_TIMEOUT_MS = 120_000;

/** A browser app for the tests of a file, or of a `describe`, as `useFixture` opens and closes it. */
export function useBrowserApp(): BrowserApp {
  return useFixture(createBrowserApp, BROWSER_TIMEOUT_MS);
}

async function createBrowserApp(): Promise<BrowserApp> {
  const gatehouse = await createTestApp({ ISSUER: ITSELF });
  const site = await createStaticSite();
  let real: RealBrowser;
  try {
    real = await launchBrowser();
  } catch (error) {
    await Promise.all([gatehouse.close(), site.close()]);
    throw error;
  }
  const tenant = await gatehouse.createTenant('acme');
  return {
    gatehouse,
    site,
    issuer: gatehouse.config.ISSUER,
    user: await createUser(gatehouse, [[tenant, 'manager']]),
    async newContext() {
      const context = await real.browser.newContext();
      context.setDefaultTimeout(25_000);
      return context;
    },
    async close() {
      await real.close();
      await Promise.all([gatehouse.close(), site.close()]);
    },
  };
}

/** Opens the single-page app and has it register. */
export async function openApp(
  context: BrowserContext,
  { site, issuer }: BrowserApp,
  redirects?: readonly string[],
): Promise<Page> {
  const page = await context.newPage();
  await page.goto(site.origin);
  await inApp(page, 'register', issuer, ...(redirects === undefined ? [] : [redirects]));
  return page;
}

/** Calls a function of the single-page app, in its page. */
export async function inApp<Result = unknown>(
  page: Page,
  name: string,
  ...args: readonly unknown[]
): Promise<Result> {
  await page.waitForFunction('window.app !== undefined');
  return page.evaluate(`window.app.${name}(...${JSON.stringify(args)})`);
}

/**
 * Types email and password into the login page, and submits it.
 * @param noWaitAfter whether the answer is not waited for
 */
export async function signIn(
  page: Page,
  { email }: TestUser,
  { noWaitAfter = false } = {},
): Promise<void> {
  await page.waitForURL('**/login/**');
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click({ noWaitAfter });
}

/** Clicks a button of the consent page. */
export async function decide(page: Page, button: 'Allow' | 'Cancel'): Promise<void> {
  await page.waitForURL('**/consent/**');
  await page.getByRole('button', { name: button }).click();
}
