import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createKeyring } from '../../src/credentials/secrets/keyring.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import type { Answer } from '../support/app/http-client.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';
import { isRight, startTraffic } from '../support/faults/traffic.js';
import { until } from '../support/app/until.js';

const OLD = 'the old secret key that is to be retired';
const NEW = 'the new secret key that takes its place';
const [OLD_ID, NEW_ID] = [idOf(OLD), idOf(NEW)];
const MOVED_WITHIN_MS = 10_000;
const WORKERS = 2;

describe('SECRET_KEYS that are being rotated', () => {
  const processes = createServerProcesses();
  /** As the first start leaves it; each test gets a copy. */
  let template: TestDatabase;
  let database: TestDatabase;
  /** The key that the first start made. It manages others, so it is always used. */
  let admin: string;

  beforeAll(async () => {
    template = await createTestDatabase();
    database = template;
    const server = await start(OLD);
    admin = keyInGreeting(server);
    await server.end('SIGTERM');
  });
  beforeEach(async () => {
    database = await createTestDatabase(template.target.database);
  });
  afterEach(async () => {
    await processes.killAll();
    await database.drop();
  });
  afterAll(() => template.drop());

  function start(...secretKeys: string[]): Promise<ServerProcess> {
    return processes.start(envOf(secretKeys));
  }

  function envOf(secretKeys: string[]): Record<string, string> {
    return { DATABASE_URL: database.url, SECRET_KEYS: secretKeys.join(',') };
  }

  async function createKey(server: ServerProcess, name: string): Promise<string> {
    const body = { name, scopes: ['contacts:read'] };
    const answer = await server.send('POST', '/api/v1/api-keys', { key: admin, body });
    return answer.json.data?.key ?? '';
  }

  function use(server: ServerProcess, keys: readonly string[]): Promise<number[]> {
    const statuses = keys.map(
      async (key) => (await server.send('GET', '/api/v1/me', { key })).status,
    );
    return Promise.all(statuses);
  }

  function post(server: ServerProcess): Promise<Answer> {
    const body = { type: 'customer' };
    return server.send('POST', '/api/v1/contacts', { key: admin, body, idempotencyKey: 'once' });
  }

  /** By which key each credential is stored. */
  async function storedUnder(): Promise<Record<string, string>> {
    const rows = await database.query<{ name: string; id: string }>(
      'SELECT name, digest_key_id AS id FROM credentials ORDER BY name',
    );
    return Object.fromEntries(rows.map(({ name, id }) => [name, id]));
  }

  /** Message of a server that does not start with these keys. */
  async function refusalOf(...secretKeys: string[]): Promise<string> {
    const refusal = await processes.refuse(envOf(secretKeys));
    for (const secretKey of secretKeys) expect(refusal).not.toContain(secretKey);
    return refusal;
  }

  it('move each key to the new secret key at its next use, after which the old one can be removed', async () => {
    const before = await start(OLD, NEW);
    const keys = [await createKey(before, 'A'), await createKey(before, 'B')];
    expect(await storedUnder()).toEqual({ 'First key': OLD_ID, A: OLD_ID, B: OLD_ID });

    // One server after the other: for a while there are both, and either takes what the other makes.
    const after = await start(NEW, OLD);
    const made = await createKey(after, 'C');
    const all = [...keys, made];
    expect(await use(before, all)).toEqual([200, 200, 200]);
    const errands = all.flatMap((key) => ({
      name: 'a key that moves',
      method: 'GET' as const,
      path: '/api/v1/me',
      options: { key },
      status: 200,
    }));
    await before.end('SIGTERM');
    const traffic = startTraffic(after, errands, WORKERS);
    await post(after);
    const moved = { 'First key': NEW_ID, A: NEW_ID, B: NEW_ID, C: NEW_ID };
    await until(async () => JSON.stringify(await storedUnder()) === JSON.stringify(sorted(moved)), {
      withinMs: MOVED_WITHIN_MS,
    });
    await traffic.stop();
    expect(traffic.outcomes.filter((outcome) => !isRight(outcome))).toEqual([]);
    await after.end('SIGTERM');

    const last = await start(NEW);
    expect(await use(last, [admin, ...all])).toEqual([200, 200, 200, 200]);
  }, 60_000);

  it('refuse a start without the old one while a key depends on it, and name its id', async () => {
    const before = await start(OLD);
    const unused = await createKey(before, 'Unused');
    await before.end('SIGTERM');
    const during = await start(NEW, OLD);
    expect(await use(during, [admin])).toEqual([200]);
    await during.end('SIGTERM');
    expect(await storedUnder()).toEqual({ 'First key': NEW_ID, Unused: OLD_ID });

    expect(await refusalOf(NEW)).toMatch(
      new RegExp(`^Stored data needs a secret key .* \\(id ${OLD_ID}\\).*\\.\\n$`),
    );
    const again = await start(NEW, OLD);
    expect(await use(again, [unused])).toEqual([200]);
    // The mail about the new key was sealed under the old secret key.
    await until(async () => (await database.query('SELECT FROM outgoing_mail')).length === 0, {
      withinMs: MOVED_WITHIN_MS,
    });
    await again.end('SIGTERM');
    expect(await use(await start(NEW), [admin, unused])).toEqual([200, 200]);
  }, 60_000);

  it('refuse a start without the old one while a signing key depends on it', async () => {
    await database.query(`UPDATE credentials SET digest_key_id = $1`, [NEW_ID]);
    expect(await refusalOf(NEW)).toContain(OLD_ID);
    await (await start(NEW, OLD)).end('SIGTERM');
    await (await start(NEW)).end('SIGTERM');
  }, 60_000);

  it('keep stored answers readable, and need the old one until those expire', async () => {
    const before = await start(OLD);
    const first = await post(before);
    expect(first.status).toBe(201);
    await before.end('SIGTERM');

    const during = await start(NEW, OLD);
    const replayed = await post(during);
    expect([replayed.status, replayed.text]).toEqual([201, first.text]);
    expect(replayed.headers['idempotent-replayed']).toBe('true');
    await during.end('SIGTERM');

    expect(await refusalOf(NEW)).toContain(OLD_ID);
    await database.shiftClock('25 hours');
    const after = await start(NEW);
    expect((await post(after)).json.data?.id).not.toBe(first.json.data?.id);
  }, 60_000);

  it('refuse every credential that was made under another key', async () => {
    const server = await start(OLD, NEW);
    await server.send('DELETE', `/api/v1/api-keys/${await ownId(server)}`, { key: admin });
    await server.end('SIGTERM');
    // Whatever is moved without being used is moved by the start itself.
    await (await start(NEW, OLD)).end('SIGTERM');
    // Nothing that is still good needs it, so it may go; what was made under it stays dead.
    expect(await use(await start(NEW), [admin])).toEqual([401]);
  }, 60_000);

  async function ownId(server: ServerProcess): Promise<string> {
    const { text } = await server.send('GET', '/api/v1/me', { key: admin });
    return (JSON.parse(text) as { data: { keyId: string } }).data.keyId;
  }
});

function idOf(secretKey: string): string {
  return createKeyring([secretKey]).currentId;
}

function sorted(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
