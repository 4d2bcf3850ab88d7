import type { TestApp } from '../app/app.js';
import type { Browser, TestUser } from '../oauth/oauth.js';
import { callApi, csrfOf, newBrowser, signIn, type ApiAnswer } from './console.js';

/** A signed-in browser, and API calls from a page in it. */
export interface SignedInBrowser {
  readonly browser: Browser;
  readonly csrf: string;
  /** Calls the API with the page's token, below `/api/v1`. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer>;
}

export async function signedInBrowser(
  gatehouse: TestApp,
  user: TestUser,
): Promise<SignedInBrowser> {
  const browser = newBrowser(gatehouse);
  const csrf = csrfOf(await signIn(browser, user));
  return {
    browser,
    csrf,
    call: (method, path, body, headers = {}) =>
      callApi(browser, method, `/api/v1${path}`, { 'X-CSRF-Token': csrf, ...headers }, body),
  };
}
