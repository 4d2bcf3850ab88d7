import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTestApp, ITSELF, type TestApp } from '../app/app.js';
import { createMailServer, type MailServer } from '../app/mail-server.js';
import { createUser, PASSWORD, type TestUser } from '../oauth/oauth.js';
import { BROWSER_TIMEOUT_MS } from './browser-app.js';
import { launchBrowser, type RealBrowser } from './browser.js';

/** The server with an organization, its administrator and a member, and a real browser to walk through the pages. */
export interface Walks {
  readonly gatehouse: TestApp;
  readonly issuer: string;
  readonly acme: Tenant;
  readonly admin: TestUser;
  readonly member: TestUser;
  /** A new browser in which a user has signed in at the page. It is closed after the test. */
  open(user: TestUser, path: string, options?: BrowserContextOptions): Promise<Page>;
  /** A new browser in which nobody has signed in. It is closed after the test. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
  /** The link of the latest mail to an address. */
  linkTo(address: string): Promise<string>;
  /** The status of an answer of the API, called as a program would. */
  statusOf(path: string, headers: Readonly<Record<string, string>>): Promise<number>;
}

type Env = Readonly<Record<string, string>>;

/**
 * Registers the hooks that start and end the server and the browser.
 *
 * @param env configuration beyond the defaults; a function is called when the server starts
 */
export function useWalks(env: Env | (() => Env) = {}): Walks {
  let mails: MailServer;
  let gatehouse: TestApp;
  let acme: Tenant;
  let admin: TestUser;
  let member: TestUser;
  let real: RealBrowser;
  const started: { close(): Promise<void> }[] = [];
  let contexts: BrowserContext[] = [];
  beforeAll(async () => {
    mails = await createMailServer();
    started.push(mails);
    gatehouse = await createTestApp({
      ISSUER: ITSELF,
      SMTP_URL: mails.url,
      ...(typeof env === 'function' ? env() : env),
    });
    started.push(gatehouse);
    acme = await gatehouse.createTenant('acme');
    admin = await createUser(gatehouse, [[acme, 'company_admin']], 'ann@example.com');
    member = await createUser(gatehouse, [[acme, 'member']], 'bob@example.com');
    real = await launchBrowser();
    started.push(real);
  }, BROWSER_TIMEOUT_MS);
  afterAll(async () => {
    for (const part of started.toReversed()) await part.close();
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    contexts = [];
    await gatehouse.database.query('DELETE FROM attempts');
  });

  async function newPage(options?: BrowserContextOptions): Promise<Page> {
    const context = await real.browser.newContext(options);
    contexts.push(context);
    context.setDefaultTimeout(15_000);
    return context.newPage();
  }

  return {
    newPage,
    get gatehouse() {
      return gatehouse;
    },
    get issuer() {
      return gatehouse.config.ISSUER;
    },
    get acme() {
      return acme;
    },
    get admin() {
      return admin;
    },
    get member() {
      return member;
    },
    async open({ email }, path, options) {
      const page = await newPage(options);
      await page.goto(gatehouse.config.ISSUER + path);
      await signInAs(page, email);
      await page.waitForURL(`**${path}`);
      return page;
    },
    async linkTo(address) {
      await gatehouse.app.mail.deliver();
      return mails.mailsTo(address).at(-1)?.link ?? `no mail to ${address}`;
    },
    async statusOf(path, headers) {
      const answer = await fetch(`${gatehouse.config.ISSUER}/api/v1${path}`, { headers });
      return answer.status;
    },
  };
}

/** Fills in the login page, and sends it. */
export async function signInAs(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** For contexts whose pages copy to the clipboard. */
export const WITH_CLIPBOARD = {
  permissions: ['clipboard-read', 'clipboard-write'],
} satisfies BrowserContextOptions;

/** The text that was copied last. */
export function copiedIn(page: Page): Promise<string> {
  return page.evaluate<string>('navigator.clipboard.readText()');
}

/** Opens a page by its link in the sidebar. */
export async function follow(page: Page, title: string): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Settings' })
    .getByRole('link', { name: title })
    .click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
}

/** Fills in the form for a new key, sends it, and reads the secret from the page that follows. */
export async function makeKey(
  page: Page,
  fields: {
    readonly name: string;
    readonly kind?: string;
    readonly scopes?: readonly string[];
    readonly addresses?: string;
    readonly environment?: 'Live' | 'Test';
  },
): Promise<string> {
  const { name, kind, scopes = [], addresses, environment } = fields;
  if (kind !== undefined) await page.getByRole('radio', { name: kind }).check();
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  if (environment !== undefined) await page.getByRole('radio', { name: environment }).check();
  for (const scope of scopes) await page.locator(`input[name=scope][value="${scope}"]`).check();
  if (addresses !== undefined) await page.getByLabel('Allowed addresses').fill(addresses);
  await page.getByRole('button', { name: 'Create', exact: true }).last().click();
  return page.locator('#secret').innerText();
}

/** Opens a key by its name in the list, and revokes it. Its name is typed where the page asks for it. */
export async function revokeKey(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name, exact: true }).first().click();
  const button = page.getByRole('button', { name: 'Revoke', exact: true });
  await button.waitFor();
  const confirm = page.getByLabel(`Type ${name} to confirm`);
  if (await confirm.isVisible()) await confirm.fill(name);
  await button.click();
  await page.getByRole('status').first().waitFor();
}

export const asBearer = (secret: string) => ({ Authorization: `Bearer ${secret}` });
