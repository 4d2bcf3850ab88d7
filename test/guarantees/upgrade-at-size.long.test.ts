import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { buildEarlierRelease, type EarlierRelease } from '../support/process/earlier-release.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
  type ServerProcesses,
} from '../support/process/server-process.js';
import { until } from '../support/app/until.js';

/** The newest release before this one: OAuth, spaces, products and imported keys. */
const NEWEST_RELEASE = 'c28dd2d';
const KEYS = 2_000_000;
const CONTACTS = 1_000_000;
/** Keys that the load presents in turn. Every second one is revoked before the upgrade. */
const PRESENTED = 200;
const WORKERS = 8;
const NAME = 'Presented';
/** No verdict may wait so much longer than without a migration: a deadlock that PostgreSQL ends lasts this long. */
const LONGEST_STALL_MS = 1000;
const TEN_MINUTES = 600_000;

interface Presented {
  readonly key: string;
  readonly status: 200 | 401;
}

const me = async (server: ServerProcess, key: string) =>
  (await server.send('GET', '/api/v1/me', { key })).status;

async function createKey(
  server: ServerProcess,
  key: string,
): Promise<{ status: number; id: string; key: string }> {
  const body = { name: NAME, scopes: ['contacts:read'] };
  const { status, json } = await server.send('POST', '/api/v1/api-keys', { key, body });
  return { status, id: String(json.data?.id), key: json.data?.key ?? '' };
}

/** Revokes a key that was just used. */
async function end(server: ServerProcess, key: string, id: string) {
  return server.send('DELETE', `/api/v1/api-keys/${id}`, { key, body: { confirm: NAME } });
}

async function revokeKey(server: ServerProcess, key: string, id: string): Promise<void> {
  expect((await end(server, key, id)).status).toBeLessThan(300);
}

/** Presents keys without a pause, and revokes new ones meanwhile, until it is ended. */
function putUnderLoad(server: ServerProcess, admin: string, presented: readonly Presented[]) {
  let isOver = false;
  let at = 0;
  let longest = 0;
  const counts = { verdicts: 0, revocations: 0, refusedChanges: 0 };
  const wrong = new Set<string>();
  const check = async ({ key, status }: Presented) => {
    const sent = performance.now();
    const got = await me(server, key);
    longest = Math.max(longest, performance.now() - sent);
    counts.verdicts += 1;
    if (got !== status) wrong.add(`${got} instead of ${status}`);
  };
  const present = async () => {
    while (!isOver) await check(presented[at++ % presented.length] as Presented);
  };
  const revoke = async () => {
    while (!isOver) {
      const made = await createKey(server, admin);
      if (made.status !== 201) {
        counts.refusedChanges += 1;
        continue;
      }
      await check({ key: made.key, status: 200 });
      const ended = await end(server, admin, made.id);
      if (ended.status >= 300) {
        counts.refusedChanges += 1;
        continue;
      }
      await check({ key: made.key, status: 401 });
      counts.revocations += 1;
    }
  };
  const working = Promise.all([...Array.from({ length: WORKERS }, present), revoke()]);
  return async () => {
    isOver = true;
    await working;
    expect([...wrong]).toEqual([]);
    return { ...counts, longest };
  };
}

describe('the upgrade of 2,000,000 keys and 1,000,000 contacts', () => {
  let database: TestDatabase;
  let release: EarlierRelease;
  let earlier: ServerProcesses;
  const current = createServerProcesses();
  let env: Record<string, string>;
  beforeAll(async () => {
    database = await createTestDatabase('template0');
    env = {
      DATABASE_URL: database.url,
      SECRET_KEYS: 'a secret key that is only used by tests',
      ISSUER: 'http://localhost:3000',
    };
    release = await buildEarlierRelease(NEWEST_RELEASE);
    earlier = createServerProcesses(release.main);
  }, TEN_MINUTES);
  afterAll(async () => {
    await earlier.killAll();
    await current.killAll();
    await release.remove();
    await database.drop();
  }, TEN_MINUTES);

  async function fill(server: ServerProcess, admin: string): Promise<readonly Presented[]> {
    const presented: Presented[] = [];
    for (let made = 0; made < PRESENTED; made += 1) {
      const { id, key } = await createKey(server, admin);
      const isEnded = made % 2 === 1;
      if (isEnded) await revokeKey(server, admin, id);
      presented.push({ key, status: isEnded ? 401 : 200 });
    }
    await server.send('POST', '/api/v1/contacts', { key: admin, body: { type: 'other' } });
    await database.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id,
         digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
       SELECT 'key_' || n, tenant_id, kind, environment, 'Filler', scopes, principal_kind, principal_id,
         md5(n::text), digest_key_id, masked_key, ARRAY['key_' || n, tenant_id], nextval('issue_order'), created_by
       FROM credentials, generate_series(1, $1) n WHERE id = (SELECT min(id) FROM credentials)`,
      [KEYS],
    );
    await database.query(
      `INSERT INTO contacts (tenant_id, environment, space_id, first_name, type)
       SELECT tenant_id, environment, space_id, 'Filler ' || n, 'other'
       FROM (SELECT * FROM contacts LIMIT 1) c, generate_series(1, $1) n`,
      [CONTACTS],
    );
    await database.query('ANALYZE');
    return presented;
  }

  it(
    'lets the old replica judge rightly throughout, and both agree afterwards',
    async () => {
      const old = await earlier.start(env);
      const admin = keyInGreeting(old);
      const presented = await fill(old, admin);
      const endBaseline = putUnderLoad(old, admin, presented);
      const began = performance.now();
      await until(() => performance.now() - began > 5000, {
        withinMs: 20_000,
        what: 'it was under load without a migration',
      });
      const baseline = await endBaseline();

      const endLoad = putUnderLoad(old, admin, presented);
      const start = performance.now();
      const next = current.launch(env);
      await until(() => next.stderr().includes('"msg":"listening"'), {
        withinMs: TEN_MINUTES,
        what: 'it has migrated',
      });
      const seconds = (performance.now() - start) / 1000;
      const seen = await endLoad();
      process.stdout.write(
        `Migration of ${KEYS} keys and ${CONTACTS} contacts: ${seconds.toFixed(1)} s, ${seen.verdicts} verdicts and ` +
          `${seen.revocations} revocations meanwhile; longest verdict ${seen.longest.toFixed(0)} ms ` +
          `(before the migration ${baseline.longest.toFixed(0)} ms)\n`,
      );
      expect(seen.revocations).toBeGreaterThan(0);
      expect(seen.refusedChanges).toBe(0);
      expect(seen.longest - baseline.longest).toBeLessThan(LONGEST_STALL_MS);
      for (const server of [old, next]) {
        const verdicts = presented.map(async ({ key }) => me(server, key));
        expect(await Promise.all(verdicts)).toEqual(presented.map(({ status }) => status));
      }
      for (const [one, other] of [
        [old, next],
        [next, old],
      ] as const) {
        const { id, key } = await createKey(one, admin);
        expect(await me(other, key)).toBe(200);
        await revokeKey(one, admin, id);
        expect(await me(other, key)).toBe(401);
      }
    },
    2 * TEN_MINUTES,
  );
});
