import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { MIGRATION_LOCK } from '../../src/db/migrate.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { createTestDatabase } from '../support/database/database.js';
import { downTo, EARLIER_RELEASE, readLikeDump } from '../support/process/releases.js';
import { createServerProcesses } from '../support/process/server-process.js';
import { until } from '../support/app/until.js';

let gatehouse: TestApp;
let cli: ReturnType<typeof createCli>;
let key: TestKey;
beforeEach(async () => {
  gatehouse = await createTestApp();
  cli = createCli(gatehouse.database);
  key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
});
afterEach(() => gatehouse.close());

const migrationsOf = async () =>
  (await gatehouse.database.query<{ name: string }>('SELECT name FROM migrations')).map(
    ({ name }) => name,
  );
const statusOf = async ({ bearer }: TestKey) =>
  (await gatehouse.http.get('/api/v1/me').set(bearer)).status;

describe('a command on a schema that lacks migrations', () => {
  beforeEach(() => downTo(gatehouse.database, EARLIER_RELEASE));

  it('refuses in one sentence and migrates nothing', async () => {
    const before = await migrationsOf();

    const { code, stdout, stderr } = await cli(['tenants', 'list']);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^The database lacks migrations of this release \([^\n]+\n$/);
    expect(stderr).toContain('cli -- migrate');
    expect(await migrationsOf()).toEqual(before);
  });

  it.each<[string, () => string[]]>([
    ['revoke', () => ['revoke', key.id, '--yes']],
    ['api-keys revoke', () => ['api-keys', 'revoke', key.id, '--tenant', 'acme', '--yes']],
  ])('ends a key all the same (%s)', async (_name, words) => {
    expect(await statusOf(key)).toBe(200);

    const { code, stderr } = await cli(words());

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await statusOf(key)).toBe(401);
  });

  it('lists with migrate --dry-run what migrate then runs', async () => {
    const before = await migrationsOf();
    const dry = await cli(['migrate', '--dry-run', '--json']);
    const { pending } = JSON.parse(dry.stdout) as { pending: string[] };
    expect(pending.length).toBeGreaterThan(5);
    expect(await migrationsOf()).toEqual(before);

    const { code, stdout } = await cli(['migrate', '--json']);

    expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, migrated: pending });
    expect(await migrationsOf()).toEqual([...before, ...pending]);
    expect((await cli(['tenants', 'list'])).code).toBe(0);
  });

  it('ends a key while a server waits to migrate behind a reader', async () => {
    const processes = createServerProcesses();
    const endReading = await readLikeDump(gatehouse.database);
    const server = processes.launch({
      DATABASE_URL: gatehouse.database.url,
      SECRET_KEYS: 'a secret key that is only used by tests',
    });
    await until(() => server.stderr().includes('waits for locks that others hold'));

    const { code } = await cli(['revoke', key.id, '--yes']);

    expect(code).toBe(0);
    expect(await statusOf(key)).toBe(401);
    await endReading();
    await until(() => server.stderr().includes('"msg":"listening"'), { withinMs: 20_000 });
    await processes.killAll();
  }, 60_000);
});

it('a command does not wait for the lock of a process that starts or migrates', async () => {
  // Sessions of hostile defaults end when they are idle.
  const options = '-c idle_session_timeout=0';
  const holder = new pg.Client({ ...gatehouse.database.target, options });
  await holder.connect();
  await holder.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);

  const { code } = await cli(['revoke', key.id, '--yes']);

  await holder.end();
  expect(code).toBe(0);
});

it('migrate --down-to undoes what came after, once it is answered with yes', async () => {
  const refused = await cli(['migrate', '--down-to', EARLIER_RELEASE]);
  expect(refused).toMatchObject({ code: 2, stdout: '' });

  const { code } = await cli(['migrate', '--down-to', EARLIER_RELEASE, '--yes']);

  expect(code).toBe(0);
  expect((await migrationsOf()).at(-1)).toBe(EARLIER_RELEASE);
  expect(await statusOf(key)).toBe(200);
});

it('a command refuses a schema that a newer release restricted', async () => {
  await gatehouse.database.query(
    `INSERT INTO migrations (timestamp, name) VALUES (1999999999999, 'Newer1999999999999')`,
  );
  for (const words of [['tenants', 'list'], ['migrate']]) {
    const { code, stderr } = await cli(words);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^A newer release migrated the database [^\n]+\(Newer1999999999999\)/);
  }
});

describe('a command where there is no installation', () => {
  it.each([['tenants', 'list'], ['migrate'], ['revoke', 'key_1', '--yes']])(
    'says so and makes nothing in a new DATA_DIR (%s %s)',
    async (...words) => {
      const folder = await mkdtemp(join(tmpdir(), 'gatehouse-none-'));
      const DATA_DIR = join(folder, 'mistyped');

      const result = await createCli({ DATA_DIR })(words);

      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).toBe(
        `There is no installation at ${DATA_DIR}: check DATA_DIR, or make one with \`npm start\`.\n`,
      );
      expect(await readdir(folder)).toEqual([]);
      await rm(folder, { recursive: true });
    },
  );

  it('says so and makes nothing in an empty database', async () => {
    const empty = await createTestDatabase('template0');

    const result = await createCli(empty)(['tenants', 'list']);

    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/^There is no installation in the database at [^\n]+\.\n$/);
    expect(await empty.query(`SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
    await empty.drop();
  });
});
