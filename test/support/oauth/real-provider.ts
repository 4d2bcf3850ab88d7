import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { createTestApp, ITSELF } from '../app/app.js';
import { createBrowser, createUser, PASSWORD, registerClient } from './oauth.js';
import type { Browser, BrowserStop } from './oauth.js';

/** A provider that answers as real ones do. */
export interface RealProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Makes a user with a verified address. @returns the browser, which is signed in nowhere */
  user(email: string): Promise<Browser>;
  /**
   * Signs the user in for the authorization request of a URL, and agrees to everything.
   * @returns the callback, and whether the login page was shown
   */
  authorize(
    browser: Browser,
    url: string,
    email: string,
  ): Promise<{ readonly callback: string; readonly hasAsked: boolean }>;
  close(): Promise<void>;
}

/** Submits the pages of a provider until they lead away from it. */
async function follow(
  stop: BrowserStop,
  issuer: string,
  answer: (page: BrowserStop) => Promise<BrowserStop>,
): Promise<string> {
  let at = stop;
  for (let pages = 0; new URL(at.url).origin === issuer && pages < 5; pages += 1) {
    at = await answer(at);
  }
  if (new URL(at.url).origin === issuer) throw new Error(`stopped at ${at.url}: ${at.html}`);
  return at.url;
}

/** Another Gatehouse, with its own database. */
export async function createSecondGatehouse(redirectUri: string): Promise<RealProvider> {
  const gatehouse = await createTestApp({ ISSUER: ITSELF });
  const tenant = await gatehouse.createTenant('upstream');
  const { ISSUER: issuer } = gatehouse.config;
  const client = await registerClient(gatehouse, {
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'client_secret_basic',
    scope: 'openid profile email',
  });
  return {
    issuer,
    clientId: client.client_id,
    clientSecret: client.client_secret ?? '',
    async user(email) {
      const { id } = await createUser(gatehouse, [[tenant, 'member']], email);
      await gatehouse.database.query(
        'UPDATE accounts SET email_verified_at = gatehouse_now() WHERE id = $1',
        [id],
      );
      return createBrowser({ origin: gatehouse.origin, issuer });
    },
    async authorize(browser, url, email) {
      let hasAsked = false;
      const callback = await follow(await browser.open(url), issuer, (page) => {
        if (!page.html.includes('name="password"')) {
          return browser.submit(page, { decision: 'approve' });
        }
        hasAsked = true;
        return browser.submit(page, { email, password: PASSWORD });
      });
      return { callback, hasAsked };
    },
    close: () => gatehouse.close(),
  };
}

/** oidc-provider in a process of its own. */
export async function createBareProvider(redirectUri: string): Promise<RealProvider> {
  const clientId = 'gatehouse';
  const clientSecret = randomBytes(16).toString('hex');
  const script = fileURLToPath(new URL('bare-provider.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, clientId, clientSecret, redirectUri], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  const issuer = line.trim();
  return {
    issuer,
    clientId,
    clientSecret,
    user: () => Promise.resolve(createBrowser({ origin: issuer, issuer })),
    async authorize(browser, url, email) {
      let hasAsked = false;
      const login = email.replace(/@acme\.test$/, '');
      const callback = await follow(await browser.open(url), issuer, (page) => {
        if (!page.html.includes('name="login"')) return browser.submit(page, {});
        hasAsked = true;
        return browser.submit(page, { login, password: 'any' });
      });
      return { callback, hasAsked };
    },
    async close() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
