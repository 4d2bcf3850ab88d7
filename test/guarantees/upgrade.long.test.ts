import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { buildEarlierRelease, type EarlierRelease } from '../support/process/earlier-release.js';
import { getTokens, PASSWORD, registerClient, type TestClient } from '../support/oauth/oauth.js';
import { readLikeDump } from '../support/process/releases.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
  type ServerProcesses,
} from '../support/process/server-process.js';
import { refresh } from '../support/oauth/token-families.js';
import { until } from '../support/app/until.js';

const EMAIL = 'owner@example.com';
const KEYS = 200_000;
/** Beside a reader that holds locks. */
const READER_STAYS_MS = 6000;

let database: TestDatabase;
let env: Record<string, string>;
let release: EarlierRelease;
let earlier: ServerProcesses;
const current = createServerProcesses();

beforeEach(async () => {
  database = await createTestDatabase('template0');
  env = {
    DATABASE_URL: database.url,
    SECRET_KEYS: 'a secret key that is only used by tests',
    ADMIN_EMAIL: EMAIL,
    ADMIN_PASSWORD: PASSWORD,
    ISSUER: 'http://localhost:3000',
  };
});
afterEach(async () => {
  await earlier.killAll();
  await current.killAll();
  await release.remove();
  await database.drop();
});

/** Credentials that the earlier release had issued before the upgrade. */
interface Issued {
  readonly key: string;
  readonly revoked: string;
  readonly tokens?: {
    readonly client: TestClient;
    readonly access: string;
    readonly refresh: string;
  };
}

const me = async (server: ServerProcess, key: string) =>
  (await server.send('GET', '/api/v1/me', { key })).status;

async function fill(server: ServerProcess, key: string, hasOauth: boolean): Promise<Issued> {
  const created = await server.send('POST', '/api/v1/api-keys', {
    key,
    body: { name: 'Revoked', scopes: ['contacts:read'] },
  });
  const { id = '', key: revoked = '' } = created.json.data ?? {};
  const ended = await server.send('DELETE', `/api/v1/api-keys/${id}`, { key });
  expect(ended.status).toBeLessThan(300);
  for (let made = 0; made < 30; made++) {
    await server.send('POST', '/api/v1/contacts', { key, body: { type: 'other' } });
  }
  await database.query(
    `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id,
       digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
     SELECT 'key_' || n, tenant_id, kind, environment, 'Filler', scopes, principal_kind, principal_id,
       md5(n::text), digest_key_id, masked_key, ARRAY['key_' || n, tenant_id], nextval('issue_order'), created_by
     FROM credentials, generate_series(1, $1) n WHERE id = (SELECT min(id) FROM credentials)`,
    [KEYS],
  );
  if (!hasOauth) return { key, revoked };
  const client = await registerClient(server);
  const tokens = await getTokens(
    { origin: server.origin, config: { ISSUER: 'http://localhost:3000' } },
    {
      client,
      user: { id: '', email: EMAIL },
      parameters: { scope: 'contacts:read offline_access' },
    },
  );
  const { access_token: access, refresh_token: refreshToken = '' } = tokens;
  return { key, revoked, tokens: { client, access, refresh: refreshToken } };
}

/** Verifies without a pause until it is ended. */
function verifyAll(server: ServerProcess, { key, revoked, tokens }: Issued) {
  let isOver = false;
  const seen = new Set<string>();
  let count = 0;
  const expected: [string, number][] = [
    [key, 200],
    [revoked, 401],
  ];
  if (tokens !== undefined) expected.push([tokens.access, 200]);
  const work = async () => {
    while (!isOver) {
      for (const [credential, status] of expected) {
        const got = await me(server, credential);
        if (got !== status) seen.add(`${got} instead of ${status}`);
        count += 1;
      }
    }
  };
  const working = Promise.all([work(), work(), work()]);
  return {
    async end() {
      isOver = true;
      await working;
      expect([...seen]).toEqual([]);
      return count;
    },
  };
}

describe('the upgrade from an earlier release', () => {
  it.each([
    ['with keys alone', 'b25828d', false],
    ['with OAuth', '7d435d0', true],
    ['with imported keys', 'c28dd2d', true],
  ])(
    '(%s, %s) lets its replica serve under load, beside a reader that holds locks',
    async (_name, commit, hasOauth) => {
      release = await buildEarlierRelease(commit);
      earlier = createServerProcesses(release.main);
      const old = await earlier.start(env);
      const issued = await fill(old, keyInGreeting(old), hasOauth);
      const load = verifyAll(old, issued);
      const endReading = await readLikeDump(database);

      const next = current.launch(env);
      await until(() => next.stderr().includes('waits for locks that others hold'), {
        withinMs: 20_000,
        what: 'it waits for the reader',
      });
      const start = performance.now();
      await until(() => performance.now() - start > READER_STAYS_MS, {
        withinMs: 2 * READER_STAYS_MS,
        what: 'the reader has stayed',
      });
      await endReading();
      await until(() => next.stderr().includes('"msg":"listening"'), {
        withinMs: 60_000,
        what: 'it has migrated',
      });
      expect(await load.end()).toBeGreaterThan(500);
      await checkBoth(old, next, issued);
    },
    180_000,
  );
});

/** Each replica refuses what the other revoked, and admits what the other issued. */
async function checkBoth(old: ServerProcess, next: ServerProcess, issued: Issued): Promise<void> {
  const { key, revoked, tokens } = issued;
  for (const server of [old, next]) {
    expect(await me(server, key)).toBe(200);
    expect(await me(server, revoked)).toBe(401);
  }
  for (const [one, other] of [
    [old, next],
    [next, old],
  ] as const) {
    const body = { name: 'One of both', scopes: ['contacts:read'] };
    const { data } = (await one.send('POST', '/api/v1/api-keys', { key, body })).json;
    expect(await me(other, data?.key ?? '')).toBe(200);
    const path = `/api/v1/api-keys/${data?.id}`;
    expect((await one.send('DELETE', path, { key })).status).toBeLessThan(300);
    expect(await me(other, data?.key ?? '')).toBe(401);
  }
  const page = JSON.parse((await old.send('GET', '/api/v1/contacts', { key })).text) as {
    meta: { pagination: { cursor: string } };
  };
  const { cursor } = page.meta.pagination;
  const onward = await next.send('GET', `/api/v1/contacts?cursor=${cursor}`, { key });
  expect(onward.status).toBe(200);
  expect((JSON.parse(onward.text) as { data: unknown[] }).data).toHaveLength(5);
  if (tokens === undefined) return;
  const rotated = await refresh(next, tokens.client, tokens.refresh);
  expect(rotated.status).toBe(200);
  expect(await me(old, rotated.tokens.access_token)).toBe(200);
  const again = await refresh(old, tokens.client, rotated.tokens.refresh_token);
  expect(again.status).toBe(200);
  expect(await me(next, again.tokens.access_token)).toBe(200);
}
