import { Agent } from 'node:http';

import { KEY_KINDS } from '../../../src/credentials/kinds.js';
import { KEY_SCOPES } from '../../../src/scopes/catalog.js';
import type { TestApp } from '../app/app.js';
import { newBrowser, csrfOf, signIn } from '../browser/console.js';
import { createCredential } from '../app/credentials.js';
import { createUser, getTokens, registerClient } from '../oauth/oauth.js';
import { sendRaw, type RawRequest } from '../app/raw-http.js';

type Pick1 = <Item>(items: readonly Item[]) => Item;

/** Everything that a fuzzed request is put together from. */
export interface Seeds {
  /** Method and path as they were declared, such as `/api/v1/contacts/:id`. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** Credentials of every kind, some of them ended. */
  readonly secrets: readonly string[];
  readonly ids: readonly string[];
  readonly cookies: readonly string[];
  readonly csrf: string;
}

const AT_ONCE = 32;

/** Numbers from 0 to 1, the same for each seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Makes what requests can name, and lists the routes of the application. */
export async function plantSeeds(gatehouse: TestApp): Promise<Seeds> {
  const tenant = await gatehouse.createTenant('fuzzed');
  const other = await gatehouse.createTenant('another');
  const made = await Promise.all(
    KEY_KINDS.flatMap((kind) =>
      [tenant, other].map((owner) => createCredential(gatehouse, owner, kind, KEY_SCOPES)),
    ),
  );
  const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  const client = await registerClient(gatehouse);
  const confidential = await registerClient(gatehouse, {
    token_endpoint_auth_method: 'client_secret_basic',
  });
  const tokens = await getTokens(gatehouse, { client, user });
  const browser = newBrowser(gatehouse);
  const page = await signIn(browser, user, { returnTo: '/settings/tokens' });
  const cookies = [...browser.cookies].map(([name, value]) => `${name.split(' ')[0]}=${value}`);
  const { apiRoutes, sessionRoutes, otherRoutes } = gatehouse.app;
  return {
    routes: [
      ...[...apiRoutes, ...sessionRoutes].map(({ method, path }) => ({
        method,
        path: `/api/v1${path}`,
      })),
      ...otherRoutes.map(({ method, path }) => ({ method, path })),
    ],
    secrets: [
      ...made.map(({ secret }) => secret),
      tokens.access_token,
      tokens.refresh_token ?? '',
      confidential.client_secret ?? '',
      client.registration_access_token,
    ],
    ids: [tenant.id, other.id, user.id, client.client_id, ...made.map(({ id }) => id), '1', '2'],
    cookies: [cookies.join('; '), ...cookies],
    csrf: csrfOf(page),
  };
}

const TEXTS = [
  '',
  ' ',
  '0',
  '-1',
  '1e999',
  '9007199254740993',
  '99999999999999999999',
  'null',
  'true',
  '\0',
  '\0a',
  'a\0',
  '\ud800',
  '\udfff',
  '‮',
  '́'.repeat(300),
  '😀',
  '%',
  '%00',
  '%ff',
  '%c0%ae',
  '%2e%2e%2f',
  '..',
  '//',
  '\\',
  "'",
  '"',
  '$1',
  '{{7*7}}',
  ';--',
  '__proto__',
  'constructor',
  'toString',
  '[object Object]',
  '2026-02-30',
  '+275760-09-13',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  'x'.repeat(300),
  'x'.repeat(5e3),
  'http://[',
  'https://app.example.com/callback',
  'javascript:alert(1)',
  'a@b',
  'code',
  'S256',
  'authorization_code',
  'refresh_token',
  'contacts:read openid',
  'offline_access',
  'live',
  'customer',
  'secret',
  'none',
  'client_secret_basic',
  'login',
  'consent',
  '/settings/tokens',
];
const MEMBERS = [
  'name',
  'kind',
  'environment',
  'scopes',
  'allowedIps',
  'expiresAt',
  'rateLimitPerMinute',
  'spaces',
  'bindings',
  'type',
  'firstName',
  'lastName',
  'email',
  'phone',
  'graceSeconds',
  'confirm',
  'access',
  'client_name',
  'redirect_uris',
  'grant_types',
  'scope',
  'contacts',
  'token_endpoint_auth_method',
  'jwks',
  'grant_type',
  'code',
  'code_verifier',
  'refresh_token',
  'client_id',
  'client_secret',
  'redirect_uri',
  'token',
  'token_type_hint',
  'resource',
  'state',
  'response_type',
  'response_mode',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'nonce',
  'password',
  'return_to',
  'csrf',
  'request',
  'request_uri',
  'claims',
  'max_age',
  'id_token_hint',
  'limit',
  'cursor',
  'search',
  'status',
  'dateFrom',
  'dateTo',
  'auth_token',
  'tenant',
  'done',
  'post_logout_redirect_uri',
  'login_hint',
  'ui_locales',
  'acr_values',
  '__proto__',
  'address',
];
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/merge-patch+json',
  'application/x-www-form-urlencoded',
  'text/plain',
  'multipart/form-data',
  '',
  'x',
  '/;=',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];

/** Makes the requests of a seed, one after the other. */
export function createFuzzer(seeds: Seeds, seed: number): () => RawRequest {
  const random = createRandom(seed);
  const chance = (share: number) => random() < share;
  const count = (below: number) => Math.floor(random() * below);
  const pick: Pick1 = (items) => items[count(items.length)] as (typeof items)[number];

  const mutated = (text: string) => {
    const at = count(text.length + 1);
    return (
      text.slice(0, at) + pick(['', 'x', '_', ' ', '\u00ff', '0'.repeat(9)]) + text.slice(at + 1)
    );
  };
  const secret = () => (chance(0.6) ? pick(seeds.secrets) : mutated(pick(seeds.secrets)));
  const text = () =>
    chance(0.5) ? pick(TEXTS) : chance(0.5) ? pick(seeds.ids) : chance(0.5) ? secret() : seeds.csrf;

  const value = (depth: number): unknown => {
    const kind = count(depth > 0 ? 8 : 6);
    if (kind < 3) return text();
    if (kind === 3) return pick([0, -1, 1.5, 1e308, 2 ** 53, -0, 60, 100]);
    if (kind === 4) return pick([null, true, false]);
    if (kind === 5) return pick([[], {}, [text()]]);
    if (kind === 6) return Array.from({ length: count(5) }, () => value(depth - 1));
    return members(depth - 1);
  };
  const members = (depth: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: count(8) }, () => [pick(MEMBERS), value(depth)]));
  const form = () =>
    Array.from({ length: count(9) }, () => `${pick(MEMBERS)}=${encoded(text())}`).join('&');

  const body = (): string | Buffer => {
    const kind = count(10);
    if (kind < 4) return JSON.stringify(members(3));
    if (kind < 8) return form();
    if (kind === 8) return Buffer.from(Array.from({ length: count(200) }, () => count(256)));
    return pick(['[', '{"a":', '['.repeat(50_000), `"${'x'.repeat(300_000)}"`, '\ufeff{}', 'null']);
  };
  const target = (path: string) => {
    const filled = path.replaceAll(/:\w+/g, () => encoded(text()).slice(0, 2000) || '1');
    const spelled = chance(0.03)
      ? pick([`${filled}/`, filled.toUpperCase(), `/${filled}`])
      : filled;
    return chance(0.5) ? `${spelled}?${form().slice(0, 6000)}` : spelled;
  };
  const headers = (): [string, string][] => {
    const all: [string, string][] = [];
    const add = (share: number, name: string, content: () => string) => {
      if (chance(share)) all.push([name, sendable(content())]);
    };
    add(
      0.5,
      'Authorization',
      () => `${pick(['Bearer', 'Bearer', 'Token', 'DPoP', 'x'])} ${secret()}`,
    );
    add(
      0.1,
      'Authorization',
      () => `Basic ${Buffer.from(`${text()}:${secret()}`).toString('base64')}`,
    );
    add(0.1, 'X-API-Key', secret);
    add(0.05, 'X-Bwp-Api-Token', secret);
    add(0.4, 'Cookie', () => (chance(0.7) ? pick(seeds.cookies) : mutated(pick(seeds.cookies))));
    add(0.2, 'X-CSRF-Token', () => (chance(0.7) ? seeds.csrf : text()));
    add(0.1, 'Idempotency-Key', text);
    add(0.1, 'X-Bwp-Space', text);
    add(0.1, 'X-Bwp-Tenant', text);
    add(0.1, 'Origin', () => pick(['http://localhost:3000', 'https://evil.example', 'null', '%']));
    add(0.1, 'Access-Control-Request-Method', () => pick(METHODS));
    add(0.1, 'Access-Control-Request-Headers', text);
    add(0.3, 'Accept', () => pick(['text/html', '*/*', 'application/json', ';q=', text()]));
    add(0.5, 'X-Forwarded-For', () =>
      pick([`10.${count(256)}.${count(256)}.1`, text(), '[::1]:1']),
    );
    add(0.1, 'Content-Encoding', () => pick(['gzip', 'identity', text()]));
    add(0.05, pick(['DPoP', 'Range', 'If-None-Match', 'Accept-Language', 'Expect', 'Host']), text);
    add(0.01, 'X-Large', () => 'x'.repeat(count(20_000)));
    return all;
  };

  return () => {
    const route = pick(seeds.routes);
    const method = chance(0.85) ? route.method : pick(METHODS);
    const hasBody = method !== 'GET' && method !== 'HEAD' ? chance(0.9) : chance(0.05);
    const payload = hasBody ? body() : undefined;
    const guess = typeof payload === 'string' && /^[[{"]/.test(payload) ? TYPES[0] : TYPES[3];
    const type = chance(0.85) ? (guess ?? '') : pick(TYPES);
    return {
      method,
      path: target(route.path),
      headers: [
        ...headers(),
        ...(payload === undefined ? [] : framing(type, Buffer.byteLength(payload))),
      ],
      ...(payload !== undefined && { body: payload }),
    };
  };
}

function framing(type: string, length: number): [string, string][] {
  return [
    ['Content-Type', type],
    ['Content-Length', String(length)],
  ];
}

/** Encodes a text for a URL. Lone surrogates are replaced. */
function encoded(text: string): string {
  return text.startsWith('%') ? text : encodeURIComponent(text.toWellFormed());
}

/** Replaces the characters that a header cannot contain. */
function sendable(text: string): string {
  return text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?');
}

/** Outcome of many requests. */
export interface FuzzOutcome {
  /** How often each status came; 0 for connections that the server closed. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Requests that were answered with 5xx, but for 503. */
  readonly failed: readonly (RawRequest & { readonly answer: string })[];
}

/** Sends so many requests, many at once. */
export async function fuzz(
  origin: string,
  next: () => RawRequest,
  total: number,
): Promise<FuzzOutcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const statuses: Record<number, number> = {};
  const failed: (RawRequest & { readonly answer: string })[] = [];
  let sent = 0;
  const work = async () => {
    while (sent < total) {
      sent += 1;
      const request = next();
      const { status, text } = await sendRaw(origin, { ...request, agent }).catch(() => ({
        status: 0,
        text: '',
      }));
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status >= 500 && status !== 503) failed.push({ ...request, answer: `${status} ${text}` });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  agent.destroy();
  return { statuses, failed };
}
