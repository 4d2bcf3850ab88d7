import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { createServerProcesses, keyInGreeting } from '../support/process/server-process.js';
import { until } from '../support/app/until.js';

const SECRET_KEYS = 'a secret key that no log may ever show';

const processes = createServerProcesses();
let database: TestDatabase;
let env: Record<string, string>;
beforeEach(async () => {
  database = await createTestDatabase();
  env = { DATABASE_URL: database.url, SECRET_KEYS, ADMIN_EMAIL: 'owner@example.com' };
});
afterEach(async () => {
  await processes.killAll();
  await database.drop();
});

it('prints nothing at the start after a greeting that was shown', async () => {
  const first = await processes.start(env);
  const isNoted = () => database.query('SELECT FROM first_start WHERE shown_at IS NOT NULL');
  await until(async () => (await isNoted()).length > 0);
  expect(keyInGreeting(first)).toMatch(/^bwp_live_/);
  await first.end('SIGKILL');

  const second = await processes.start(env);
  await second.end('SIGTERM');

  expect(second.stdout()).toBe('');
}, 60_000);

describe('a first start that is killed between its commit and its greeting', () => {
  /** Holds it where it has committed and not greeted, and kills it there. */
  async function killBeforeGreeting(more: Record<string, string> = {}): Promise<void> {
    const holder = new pg.Client(database.client);
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE imported_prefixes IN ACCESS EXCLUSIVE MODE');
    const server = processes.launch({ ...env, ...more });
    await until(async () => (await database.query('SELECT FROM tenants')).length > 0);
    await server.end('SIGKILL');
    await holder.end();
    expect(server.stdout()).toBe('');
  }

  it('is followed by a start that prints once how to get a password and a key', async () => {
    await killBeforeGreeting();

    const second = await processes.start(env);
    await until(() => second.stdout() !== '');

    expect(second.stdout()).toMatch(/before it had shown the password of owner@example\.com/);
    expect(second.stdout()).toContain(
      'npm run -s cli -- accounts set-password --email owner@example.com --password-stdin',
    );
    expect(second.stdout()).toContain('npm run -s cli -- api-keys create --tenant demo');
    await second.end('SIGTERM');
    const third = await processes.start(env);
    await third.end('SIGTERM');
    expect(third.stdout()).toBe('');
  }, 60_000);

  it('prints the key alone when the password was given', async () => {
    await killBeforeGreeting({ ADMIN_PASSWORD: 'a password of the administrator' });

    const second = await processes.start(env);
    await until(() => second.stdout() !== '');

    expect(second.stdout()).toContain('api-keys create');
    expect(second.stdout()).not.toContain('set-password');
  }, 60_000);
});

describe('a start', () => {
  const addNewer = (declares: string) =>
    database.query(
      `WITH newer AS (INSERT INTO migrations (timestamp, name)
         VALUES (1999999999999, 'Newer1999999999999') RETURNING name)
       INSERT INTO migration_declarations SELECT name, $1 FROM newer`,
      [declares],
    );

  it('is refused on a schema that a newer release restricted', async () => {
    await addNewer('restricting');

    expect(await processes.refuse(env)).toBe(
      'A newer release migrated the database so that this one must not serve it (Newer1999999999999): start the newer release.\n',
    );
  }, 60_000);

  it('succeeds on the schema of a newer release that is compatible, and says so', async () => {
    await addNewer('compatible');

    const server = await processes.start(env);

    const lines = server.stderr().split('\n');
    expect(lines.filter((line) => line.includes('Newer1999999999999'))).toHaveLength(1);
  }, 60_000);

  it('warns of commits that can be lost', async () => {
    await database.query(
      `ALTER DATABASE ${database.target.database} SET synchronous_commit = 'off'`,
    );

    const server = await processes.start(env);

    expect(server.stderr()).toContain('"msg":"synchronous_commit is ');
  }, 60_000);

  it.each(['local', 'on'])(
    'does not warn of lost commits: synchronous_commit = %s',
    async (setting) => {
      await database.query(
        `ALTER DATABASE ${database.target.database} SET synchronous_commit = '${setting}'`,
      );

      const server = await processes.start(env);

      expect(server.stderr()).not.toContain('synchronous_commit');
    },
    60_000,
  );
});
