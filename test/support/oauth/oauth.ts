import { createHash, randomBytes } from 'node:crypto';

import { createAccountStore } from '../../../src/accounts/account-store.js';
import { createId } from '../../../src/db/id.js';
import type { Role } from '../../../src/scopes/roles.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp } from '../app/app.js';
import { freshAddress } from '../app/clients.js';
import { testServer } from '../database/database.js';

import { PASSWORD } from './password.js';

export { PASSWORD };

export const REDIRECT = 'https://app.example.com/callback';

/** Somebody who can sign in. */
export interface TestUser {
  readonly id: string;
  readonly email: string;
}

export async function createUser(
  { dataSource }: TestApp,
  memberships: readonly (readonly [Tenant, Role])[],
  email = `user-${randomBytes(6).toString('hex')}@example.com`,
): Promise<TestUser> {
  return dataSource.transaction(async (manager) => {
    const accounts = createAccountStore(manager);
    const id = createId('usr');
    await manager.query(
      `INSERT INTO accounts (id, email, name, password_hash) VALUES ($1, $2, 'Ada Example', $3)`,
      [id, email, testServer().passwordHash],
    );
    for (const [tenant, role] of memberships) await accounts.join(tenant.id, id, role);
    return { id, email };
  });
}

/** A registered client, with its secret if it has one. */
export interface TestClient {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly registration_access_token: string;
  readonly registration_client_uri: string;
}

let registrations = 0;

export async function registerClient(
  { origin }: { readonly origin: string },
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<TestClient> {
  registrations += 1;
  const answer = await fetch(`${origin}/api/v1/oauth/register`, {
    method: 'POST',
    // Where it is believed, no limit is near.
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': freshAddress() },
    body: JSON.stringify({
      client_name: `Test app ${registrations}`,
      redirect_uris: [REDIRECT],
      ...metadata,
    }),
  });
  if (answer.status !== 201) throw new Error(`not registered: ${await answer.text()}`);
  return (await answer.json()) as TestClient;
}

/** Handles pages and cookies as a browser does. */
export interface Browser {
  /** Requests a URL of the server; redirects are not followed. */
  request(url: string, init?: RequestInit): Promise<Response>;
  /** Follows redirects within the server; stops at a page, or at the first redirect that leaves it. */
  open(url: string): Promise<BrowserStop>;
  /** Fills in and submits the form of a page. */
  submit(
    page: BrowserStop,
    fields: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<BrowserStop>;
  readonly cookies: Map<string, string>;
}

/** Where following redirects ended. */
export interface BrowserStop {
  readonly url: string;
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
}

/**
 * @param server where it listens, what it calls itself (its URLs are requested at `origin`), and, for one that
 *   believes its proxy, the browser's address
 */
export function createBrowser(server: {
  readonly origin: string;
  readonly issuer: string;
  readonly address?: string;
}): Browser {
  const { origin, issuer, address } = server;
  const cookies = new Map<string, string>();
  const request = async (url: string, init: RequestInit = {}) => {
    const target = new URL(url, issuer);
    const headers = new Headers(init.headers);
    const sent = [...cookies].filter(([key]) => {
      const [, path = '/'] = key.split(' ');
      return target.pathname.startsWith(path);
    });
    headers.set('Cookie', sent.map(([key, value]) => `${key.split(' ')[0]}=${value}`).join('; '));
    headers.set('Accept', 'text/html');
    if (address !== undefined) headers.set('X-Forwarded-For', address);
    const answer = await fetch(origin + target.pathname + target.search, {
      ...init,
      headers,
      redirect: 'manual',
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      const path = attributes.find((text) => /^path=/i.test(text))?.slice(5) ?? '/';
      const isOver = attributes.some((text) => /^expires=Thu, 01 Jan 1970/i.test(text));
      if (isOver) cookies.delete(`${name} ${path}`);
      else cookies.set(`${name} ${path}`, value);
    }
    return answer;
  };

  async function follow(url: string, answer: Response): Promise<BrowserStop> {
    const location = answer.headers.get('Location');
    if (location === null) {
      return { url, status: answer.status, html: await answer.text(), headers: answer.headers };
    }
    const next = new URL(location, issuer).href;
    if (new URL(next).origin !== issuer) {
      return { url: next, status: answer.status, html: '', headers: answer.headers };
    }
    return follow(next, await request(next));
  }

  return {
    cookies,
    request,
    open: async (url) => follow(new URL(url, issuer).href, await request(url)),
    async submit(page, fields) {
      const form = readForm(page.html);
      const body = new URLSearchParams(form.hidden);
      const given = Object.entries(fields);
      if (!('scope' in fields)) for (const scope of form.ticked) body.append('scope', scope);
      for (const [name, value] of given) {
        body.delete(name);
        for (const item of [value].flat()) body.append(name, item);
      }
      const answer = await request(new URL(form.action, page.url).href, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body,
      });
      return follow(page.url, answer);
    },
  };
}

/** The hidden fields, the ticked boxes and the target of a page's form. */
export function readForm(html: string) {
  const inputs = [...html.matchAll(/<input\b[^>]*>/g)].map(([tag]) => ({
    type: attribute(tag, 'type'),
    name: attribute(tag, 'name'),
    value: attribute(tag, 'value'),
    isChecked: /\schecked\b/.test(tag),
  }));
  return {
    action: attribute(/<form\b[^>]*>/.exec(html)?.[0] ?? '', 'action'),
    hidden: inputs
      .filter(({ type }) => type === 'hidden')
      .map(({ name, value }) => [name, value]) as [string, string][],
    ticked: inputs
      .filter(({ type, isChecked }) => type === 'checkbox' && isChecked)
      .map(({ value }) => value),
    boxes: inputs.filter(({ type }) => type === 'checkbox').map(({ value }) => value),
  };
}

function attribute(tag: string, name: string): string {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
  return value
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

/** PKCE (RFC 7636): what is kept, and what is sent ahead. */
export function createPkce() {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The URL of an authorization request. */
export function authorizeUrl(issuer: string, parameters: Readonly<Record<string, string>>): string {
  const url = new URL('/api/v1/oauth/authorize', issuer);
  const defaults = {
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'contacts:read offline_access',
    code_challenge_method: 'S256',
    state: 'some-state',
  };
  for (const [name, value] of Object.entries({ ...defaults, ...parameters })) {
    if (value !== '') url.searchParams.set(name, value);
  }
  return url.href;
}

export interface TokenResponse {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly scope: string;
}

/** Posts a form to one of OAuth's endpoints. */
export function post(
  { origin }: { readonly origin: string },
  endpoint: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(`${origin}/api/v1/oauth/${endpoint}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields),
  });
}

interface Flow {
  readonly client: TestClient;
  readonly user: TestUser;
  readonly browser?: Browser;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Which scopes stay ticked; all, if absent. */
  readonly scope?: readonly string[];
  /** Where the user has several tenants. */
  readonly tenantId?: string;
}

type Server = { readonly origin: string; readonly config: { readonly ISSUER: string } };

/** Goes through all pages, and returns where the client is told the outcome. */
export function authorize(server: Server, flow: Flow): Promise<URL> {
  const url = authorizeUrl(server.config.ISSUER, {
    client_id: flow.client.client_id,
    code_challenge: createPkce().challenge,
    ...flow.parameters,
  });
  return approve(server, url, flow);
}

/** The same for an authorization request that somebody else has made. */
export async function approve(
  server: Server,
  url: string,
  flow: Omit<Flow, 'client' | 'parameters'>,
): Promise<URL> {
  const { user } = flow;
  const issuer = server.config.ISSUER;
  const browser = flow.browser ?? createBrowser({ origin: server.origin, issuer });
  let stop = await browser.open(url);
  if (new URL(stop.url).pathname.startsWith('/login')) {
    stop = await browser.submit(stop, { email: user.email, password: PASSWORD });
  }
  if (flow.tenantId !== undefined && stop.html.includes('name="tenant_id"')) {
    stop = await browser.submit(stop, { tenant_id: flow.tenantId });
  }
  if (new URL(stop.url).pathname.startsWith('/consent')) {
    const scope = flow.scope === undefined ? {} : { scope: flow.scope };
    stop = await browser.submit(stop, { decision: 'approve', ...scope });
  }
  if (new URL(stop.url).origin === issuer) {
    throw new Error(`stopped at ${stop.url} (${stop.status}): ${mainOf(stop)}`);
  }
  return new URL(stop.url);
}

/** Main part of a page, without its style. */
export function mainOf({ html }: Pick<BrowserStop, 'html'>): string {
  return /<main\b[^>]*>(.*)<\/main>/s.exec(html)?.[1] ?? html;
}

/** The whole way to tokens. */
export async function getTokens(server: Server, flow: Flow): Promise<TokenResponse> {
  const { verifier, challenge } = createPkce();
  const parameters = { ...flow.parameters, code_challenge: challenge };
  const answer = await authorize(server, { ...flow, parameters });
  const response = await post(server, 'token', {
    grant_type: 'authorization_code',
    code: answer.searchParams.get('code') ?? '',
    redirect_uri: flow.parameters?.['redirect_uri'] ?? REDIRECT,
    code_verifier: verifier,
    client_id: flow.client.client_id,
    ...(flow.client.client_secret !== undefined && { client_secret: flow.client.client_secret }),
  });
  if (response.status !== 200) throw new Error(`no tokens: ${await response.text()}`);
  return (await response.json()) as TokenResponse;
}
