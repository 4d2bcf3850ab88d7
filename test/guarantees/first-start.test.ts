import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

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
});
