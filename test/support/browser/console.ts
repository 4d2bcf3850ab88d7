import type { TestApp } from '../app/app.js';
import {
  createBrowser,
  PASSWORD,
  readForm,
  type Browser,
  type BrowserStop,
  type TestUser,
} from '../oauth/oauth.js';

/** A browser that has never been here. */
export function newBrowser({ origin, config }: Pick<TestApp, 'origin' | 'config'>): Browser {
  return createBrowser({ origin, issuer: config.ISSUER });
}

/** Signs in on the login page, and follows where that leads. */
export async function signIn(
  browser: Browser,
  { email }: TestUser,
  { returnTo, password = PASSWORD }: { returnTo?: string; password?: string } = {},
): Promise<BrowserStop> {
  const query = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`;
  const page = await browser.open(`/login${query}`);
  const { pathname } = new URL(page.url);
  if (pathname === '/login') return browser.submit(page, { email, password });
  // A signed-in browser is sent on, but a form of before may still be sent.
  const csrf = csrfOf(page);
  const html = `<form action="/login${query}"><input type="hidden" name="csrf" value="${csrf}"></form>`;
  return browser.submit({ ...page, html }, { email, password });
}

/** CSRF token that a page's scripts would send with a call. */
export function csrfOf({ html }: Pick<BrowserStop, 'html'>): string {
  return /<meta name="csrf-token" content="([^"]+)">/.exec(html)?.[1] ?? 'none on this page';
}

/** Sends a form to a path; redirects are not followed. */
export function postForm(
  browser: Browser,
  path: string,
  fields: Readonly<Record<string, string | readonly string[]>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const body = new URLSearchParams(
    Object.entries(fields).flatMap(([name, value]) =>
      [value].flat().map((item): [string, string] => [name, item]),
    ),
  );
  return browser.request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body,
  });
}

/** Value of a browser's cookie, by its name. */
export function cookieOf({ cookies }: Browser, name: string): string | undefined {
  return cookies.get(`${name} /`);
}

/** Another browser with the same cookies, as if they had been copied. */
export function copyOf(browser: Browser, server: Parameters<typeof newBrowser>[0]): Browser {
  const copy = newBrowser(server);
  for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
  return copy;
}

/** Whether a browser is signed in at this moment, and as whom. */
export async function whoIs(browser: Browser): Promise<string | undefined> {
  const page = await browser.request('/settings/tokens');
  if (page.status === 303) return undefined;
  return /<bdi class="soft">([^<]+@[^<]+)<\/bdi>/.exec(await page.text())?.[1];
}

/** An answer of the API to a browser. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly data?: Readonly<Record<string, unknown>> & {
    readonly id?: string;
    readonly key?: string;
  };
  readonly code?: string;
  readonly detail?: string;
}

/** Calls the API as a script in a browser does: cookies are sent. */
export async function callApi(
  browser: Browser,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: unknown,
): Promise<ApiAnswer> {
  const answer = await browser.request(path, {
    method,
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = text === '' ? {} : (JSON.parse(text) as Pick<ApiAnswer, 'data' | 'code' | 'detail'>);
  return { status: answer.status, headers: answer.headers, ...json };
}

/** The token of a page's form. */
export function csrfOfForm({ html }: Pick<BrowserStop, 'html'>): string {
  return readForm(html).hidden.find(([name]) => name === 'csrf')?.[1] ?? 'none on this page';
}

/** The secret that names a browser, as its cookie holds it. */
export function secretOf({ cookies }: Browser): string {
  const [, value] = [...cookies].find(([name]) => name.includes('gatehouse_browser_')) ?? [];
  return value ?? 'no cookie';
}
