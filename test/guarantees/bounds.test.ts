import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp } from '../support/app/app.js';
import { createWebServer, type WebServer } from '../support/app/web-server.js';
import { callApi, csrfOf, newBrowser, postForm, signIn } from '../support/browser/console.js';
import { accountExercises, type Exercise, MAIL, MANY, times } from './account-exercises.js';
import { asserting, createPair, signAssertion } from '../support/oauth/assertions.js';
import { publish } from '../support/oauth/client-documents.js';
import { createFakeProvider, type FakeProvider } from '../support/oauth/sign-in-provider.js';
import { createDeviceUser } from '../support/oauth/device.js';
import { refresh } from '../support/oauth/oauth-requests.js';
import {
  authorize,
  authorizeUrl,
  createPkce,
  createUser,
  getTokens,
  post,
  readForm,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const AUTHORIZATIONS = 5;
const REGISTRATIONS = 4;
const TENANT_UNITS = 60;
/** Rows of a sign-in. */
const SIGNED_IN = { attempts: 8, sessions: 1, last_sign_ins: 1 };

/** The first cells of the rows of the tables in the section about what requests leave. */
function requestsOfThreatModel(): string[] {
  const text = readFileSync('docs/threat-model.md', 'utf8');
  const [, section = ''] = /\n## Exhaustion of database and processor(.*?)\n## /s.exec(text) ?? [];
  return [...section.matchAll(/^\| (.+?) +\|/gm)]
    .map(([, cell = '']) => cell)
    .filter((cell) => !/^(-+|Request with.*)$/.test(cell));
}

describe('the rows that a request leaves', () => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let documents: WebServer;
  let provider: FakeProvider;
  beforeAll(async () => {
    provider = await createFakeProvider();
    gatehouse = await createTestApp(
      {
        ...MAIL,
        SIGN_IN_PROVIDERS: provider.file,
        RATE_LIMIT_AUTHORIZE_PER_MINUTE: String(AUTHORIZATIONS),
        RATE_LIMIT_REGISTRATION_PER_MINUTE: String(REGISTRATIONS),
        RATE_LIMIT_TENANT_PER_HOUR: String(TENANT_UNITS),
        OUTBOUND_ALLOW_LOOPBACK: 'true',
      },
      () => Date.now() + shifted,
    );
    client = await registerClient(gatehouse);
    documents = await createWebServer();
  });
  afterAll(async () => {
    await gatehouse.close();
    await documents.close();
    await provider.close();
  });
  /** Moves the clock of the limits in memory, so that no exercise pays for another. */
  let shifted = 0;
  beforeEach(async () => {
    shifted += 3_600_000;
    tenant = await gatehouse.createTenant(`tenant-${shifted}`);
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  });

  const count = async (): Promise<Map<string, number>> => {
    await gatehouse.app.activity.flush();
    const tables = await gatehouse.database.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`,
    );
    const counts = new Map<string, number>();
    for (const { name } of tables) {
      const [row] = await gatehouse.database.query<{ rows: number }>(
        `SELECT count(*)::int AS rows FROM ${name}`,
      );
      counts.set(name, row?.rows ?? 0);
    }
    return counts;
  };
  const url = (parameters: Record<string, string> = {}) =>
    authorizeUrl(gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    });
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(gatehouse.origin + path, { headers, redirect: 'manual' });
  const registerDevice = () =>
    registerClient(gatehouse, { client_name: 'TV', grant_types: [DEVICE_GRANT] });
  const unknown = () => gatehouse.format.mint('live');

  const exercises: Readonly<Record<string, Exercise>> = {
    ...accountExercises(() => ({ gatehouse, user })),
    '`GET /authorize`': {
      repeat: () => times(MANY, () => newBrowser(gatehouse).request(url())),
      atMost: { oauth_artifacts: AUTHORIZATIONS },
    },
    '`POST /authorize`': {
      repeat: () =>
        times(MANY, () =>
          post(gatehouse, 'authorize', Object.fromEntries(new URL(url()).searchParams)),
        ),
      // Redirects are followed to the request by GET.
      atMost: { oauth_artifacts: AUTHORIZATIONS },
    },
    '`POST /par`': {
      repeat: () =>
        times(MANY, () => post(gatehouse, 'par', Object.fromEntries(new URL(url()).searchParams))),
      atMost: { pushed_requests: AUTHORIZATIONS },
    },
    '`GET /authorize/:id`': {
      async repeat() {
        const browser = newBrowser(gatehouse);
        const login = (await browser.request(url())).headers.get('Location') ?? '';
        await times(MANY, () =>
          browser.request(login.replace('/login/', '/api/v1/oauth/authorize/')),
        );
      },
      atMost: { oauth_artifacts: AUTHORIZATIONS },
    },
    '`POST /api/v1/oauth/device`': {
      async repeat() {
        const device = await registerDevice();
        await times(MANY, () => post(gatehouse, 'device', { client_id: device.client_id }));
      },
      atMost: { oauth_artifacts: 2 * AUTHORIZATIONS, clients: 1, audit_log: 1, attempts: 2 },
    },
    '`POST /login` with a wrong password': {
      repeat: () => times(MANY, () => signIn(newBrowser(gatehouse), user, { password: 'wrong' })),
      atMost: { attempts: 8, audit_log: 2 },
    },
    '`POST /register`': {
      repeat: () =>
        times(MANY, (index) =>
          registerClient(gatehouse, { client_name: `App ${index}` }).catch(() => undefined),
        ),
      atMost: { clients: REGISTRATIONS, audit_log: REGISTRATIONS, attempts: 4 },
    },
    '`GET /authorize` that names a document': {
      repeat: () =>
        times(MANY, (index) => {
          const metadata = { client_name: 'App', redirect_uris: ['https://app.example.com/'] };
          const id = publish(documents, `/${index}.json`, metadata);
          return newBrowser(gatehouse).request(url({ client_id: id }));
        }),
      atMost: {
        clients: REGISTRATIONS,
        audit_log: REGISTRATIONS,
        attempts: 4,
        oauth_artifacts: AUTHORIZATIONS,
      },
    },
    'any path with an unknown credential': {
      repeat: () =>
        times(MANY, () => get('/api/v1/contacts', { Authorization: `Bearer ${unknown()}` })),
      atMost: {},
    },
    '`/token`, `/revoke`, `/introspect`': {
      repeat: () =>
        times(MANY, async () => {
          await post(gatehouse, 'token', { grant_type: 'refresh_token', refresh_token: unknown() });
          await post(gatehouse, 'token', {
            grant_type: 'authorization_code',
            client_id: client.client_id,
            code: gatehouse.format.mint('ac'),
          });
          await post(gatehouse, 'revoke', { token: unknown() });
          await post(gatehouse, 'introspect', { token: unknown() });
        }),
      atMost: {},
    },
    'the callback of a sign-in provider': {
      repeat: () => times(MANY, () => provider.failIn(newBrowser(gatehouse))),
      // A beginning and a callback, of 60 a minute.
      atMost: { used_proofs: 30, audit_log: 1 },
    },
    'pages and documents': {
      repeat: () =>
        times(MANY, async () => {
          for (const path of ['/login', '/settings/tokens', '/docs/errors', '/healthz', '/']) {
            await get(path, { Accept: 'text/html' });
          }
          await get('/.well-known/oauth-authorization-server');
          await get('/api/v1/oauth/end-session');
        }),
      atMost: {},
    },
    'any request with a key': {
      async repeat() {
        const key = await gatehouse.createKey(tenant);
        await times(MANY, () => get('/api/v1/me', key.bearer));
      },
      // The counts of the key and of its tenant, in an hour that may end meanwhile.
      atMost: { credentials: 1, credential_uses: 1, audit_log: 1, usage_counts: 4 },
    },
    'a request that a key may not make': {
      async repeat() {
        const key = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
        await times(MANY, () => get('/api/v1/contacts', key.bearer));
      },
      // The key, its creation, and a minute that may end while the requests are sent.
      atMost: { credentials: 1, credential_uses: 1, audit_log: 1 + 2, usage_counts: 4 },
    },
    '`POST` of a resource, key or space': {
      async repeat() {
        const { bearer } = await gatehouse.createKey(tenant);
        const send = (path: string, body: object, key: string) =>
          fetch(`${gatehouse.origin}/api/v1/${path}`, {
            method: 'POST',
            headers: { ...bearer, 'Content-Type': 'application/json', 'Idempotency-Key': key },
            body: JSON.stringify(body),
          });
        await times(MANY, async (index) => {
          await send('contacts', { type: 'other' }, `contact ${index}`);
          await send('api-keys', { name: 'Child', scopes: ['leads:read'] }, `key ${index}`);
          await send('spaces', { name: `Space ${index}` }, `space ${index}`);
        });
      },
      // Five units each: twelve requests, and the one that exceeds the budget.
      atMost: {
        contacts: 13,
        spaces: 13,
        credentials: 14,
        // An administrator is told of each key, 20 an hour.
        outgoing_mail: 13,
        attempts: 1,
        credential_uses: 1,
        idempotency_records: TENANT_UNITS / 5 + 1,
        audit_log: TENANT_UNITS / 5 + 4,
        usage_counts: 4,
      },
    },
    '`GET /audit-log/exports`': {
      async repeat() {
        const { bearer } = await gatehouse.createKey(await gatehouse.createTenant('exporter'));
        await times(MANY, () => get('/api/v1/audit-log/exports', bearer));
      },
      atMost: {
        credentials: 1,
        credential_uses: 1,
        audit_log: 1,
        usage_counts: 4,
        tenants: 1,
        spaces: 1,
      },
    },
    '`POST /login` with a right password': {
      async repeat() {
        await times(56, () => signIn(newBrowser(gatehouse), user));
        const living = await gatehouse.database.query(
          'SELECT FROM sessions WHERE account_id = $1 AND expires_at > gatehouse_now()',
          [user.id],
        );
        expect(living).toHaveLength(50);
      },
      atMost: { sessions: 56, last_sign_ins: 1, audit_log: 56 + 6, attempts: 8 },
    },
    '`POST /device` with a code': {
      async repeat() {
        const person = createDeviceUser(gatehouse, user);
        await times(MANY, (index) => person.type(`BCDFGHJ${'KLMNPQRSTVWXZBCD'.charAt(index)}`));
      },
      atMost: { last_sign_ins: 1, attempts: MANY + 5, sessions: 1, audit_log: 1 },
    },
    '`GET /authorize` while signed in': {
      async repeat() {
        const browser = newBrowser(gatehouse);
        await authorize(gatehouse, { client, user, browser });
        await times(MANY, () => browser.request(url({ prompt: 'none' })));
        await times(MANY, () => browser.request(url({ prompt: 'consent' })));
      },
      // The sign-in and the consent that come first leave a row of their own in each table.
      atMost: {
        attempts: 8,
        audit_log: AUTHORIZATIONS + 3,
        consents: 1,
        outgoing_mail: 1,
        grants: AUTHORIZATIONS + 1,
        oauth_artifacts: 2 * AUTHORIZATIONS + 2,
        sessions: 2,
        last_sign_ins: 1,
      },
    },
    'a refresh': {
      async repeat() {
        let { refresh_token: token } = await getTokens(gatehouse, { client, user });
        const before = await count();
        for (let sent = 0; sent < 65; sent += 1) {
          const answer = await refresh(gatehouse, client, token);
          if (answer.status !== 200) {
            expect(answer.status).toBe(429);
            expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0);
            continue;
          }
          token = ((await answer.json()) as { refresh_token: string }).refresh_token;
        }
        const after = await count();
        for (const table of ['access_tokens', 'refresh_tokens']) {
          expect((after.get(table) ?? 0) - (before.get(table) ?? 0)).toBe(60);
        }
      },
      atMost: {
        access_tokens: 61,
        refresh_tokens: 61,
        attempts: 8,
        audit_log: 3,
        consents: 1,
        outgoing_mail: 1,
        grants: 1,
        oauth_artifacts: 4,
        sessions: 2,
        last_sign_ins: 1,
      },
    },
    'any request with a client’s assertion': {
      async repeat() {
        const pair = await createPair('ES256', 'own');
        await gatehouse.database.query('DELETE FROM attempts');
        const { client_id: id } = await registerClient(gatehouse, {
          token_endpoint_auth_method: 'private_key_jwt',
          jwks_uri: `http://127.0.0.1:${documents.port}/keys`,
        });
        documents.serve('/keys', { keys: [pair.jwk] });
        await times(MANY, async () => {
          const jwt = await signAssertion(id, gatehouse.config.ISSUER, pair);
          // The second use is refused, and leaves nothing.
          for (const token of ['first', 'second']) {
            await post(gatehouse, 'introspect', { token, ...asserting(jwt) });
          }
        });
      },
      atMost: { attempts: 4, audit_log: 1, clients: 1, client_keys: 1, used_proofs: MANY },
    },
    '`POST /settings/api-keys/new`, `…/rotate`, and for machine credentials': {
      async repeat() {
        const browser = newBrowser(gatehouse);
        const path = `/settings/api-keys/new?tenant=tenant-${shifted}`;
        const page = await signIn(browser, user, { returnTo: path });
        const fields = Object.fromEntries(readForm(page.html).hidden);
        // The same form again and again makes one key.
        await times(MANY, () =>
          postForm(browser, path, {
            ...fields,
            name: 'Key',
            kind: 'secret',
            scope: 'contacts:read',
            expires: '90',
          }),
        );
      },
      atMost: { ...SIGNED_IN, audit_log: 2, credentials: 1, outgoing_mail: 1, secret_handovers: 1 },
    },
    '`POST /personal-access-tokens`': {
      async repeat() {
        const browser = newBrowser(gatehouse);
        const page = await signIn(browser, user, { returnTo: '/settings/tokens' });
        const headers = { 'X-CSRF-Token': csrfOf(page) };
        await times(105, (index) =>
          callApi(browser, 'POST', '/api/v1/personal-access-tokens', headers, {
            name: `Token ${index}`,
            access: 'read',
          }),
        );
      },
      atMost: { ...SIGNED_IN, audit_log: 102, credentials: 100, outgoing_mail: 20 },
    },
  };

  it('are exercised for each row of the threat model', () => {
    expect(requestsOfThreatModel().toSorted()).toEqual(Object.keys(exercises).toSorted());
  });

  it.each(Object.entries(exercises))(
    '%s',
    async (_request, { repeat, atMost }) => {
      const before = await count();
      await repeat();
      const grown = [...(await count())]
        .map(([table, rows]) => [table, rows - (before.get(table) ?? 0)] as const)
        .filter(([table, rows]) => rows > (atMost[table] ?? 0));
      expect(grown).toEqual([]);
    },
    60_000,
  );
});
