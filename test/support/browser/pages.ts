import type { TestApp } from '../app/app.js';
import { csrfOfForm, postForm } from './console.js';
import {
  authorizeUrl,
  createPkce,
  PASSWORD,
  type Browser,
  type BrowserStop,
  type TestClient,
  type TestUser,
} from '../oauth/oauth.js';

/** Where an answer leads; empty if it is not a redirect. */
export const locationOf = (answer: Response) => answer.headers.get('Location') ?? '';

/** Sends a page's form; redirects are not followed. */
export const sendForm = (browser: Browser, page: BrowserStop, fields: Record<string, string>) =>
  postForm(browser, new URL(page.url).pathname, { csrf: csrfOfForm(page), ...fields });

/** Content of the login form for a user. */
export const credentialsOf = ({ email }: TestUser) => ({ email, password: PASSWORD });

/** Begins an authorization; it stops at the first page. */
export const beginAuthorization = (
  { config }: Pick<TestApp, 'config'>,
  browser: Browser,
  client: TestClient,
  parameters: Readonly<Record<string, string>> = {},
): Promise<BrowserStop> =>
  browser.open(
    authorizeUrl(config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    }),
  );
