import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { createServerProcesses } from '../support/process/server-process.js';
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
