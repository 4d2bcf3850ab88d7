import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { asAdmin, createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { createServerProcesses } from '../support/process/server-process.js';

const SECRET_KEYS = 'a secret key that no log may ever show';

describe('a start fails with one sentence', () => {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let other: Server;
  let busyPort: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    // Reads and never answers: a connection that is not read would stay open after its peer is gone.
    other = createServer((socket) => socket.on('error', () => undefined).resume());
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    busyPort = String((other.address() as AddressInfo).port);
  });
  afterAll(async () => {
    await processes.killAll();
    other.close();
    await database.drop();
  });

  /** Message of the refusal: one line with a full stop, without internals or secrets. */
  async function refusalOf(env: Record<string, string>): Promise<string> {
    const refusal = await processes.refuse({ DATABASE_URL: database.url, SECRET_KEYS, ...env });
    expect(refusal).toMatch(/^[^\n{]+\.\n$/);
    expect(refusal).not.toContain(SECRET_KEYS);
    expect(refusal).not.toContain(database.target.password);
    return refusal;
  }

  it('when the port is in use', async () => {
    expect(await refusalOf({ PORT: busyPort })).toBe(
      `Cannot listen on 127.0.0.1:${busyPort}: the port is in use.\n`,
    );
  });

  it('when the port of the metrics is in use', async () => {
    expect(await refusalOf({ METRICS_PORT: busyPort })).toBe(
      `Cannot listen on 127.0.0.1:${busyPort}: the port is in use.\n`,
    );
  });

  it('when nothing listens at the address of the database', async () => {
    const DATABASE_URL = 'postgres://someone:their-password@127.0.0.1:1/theirs';
    const refusal = await refusalOf({ DATABASE_URL });
    expect(refusal).toMatch(
      /^The database at 127\.0\.0\.1:1\/theirs cannot be used: .*ECONNREFUSED/,
    );
    expect(refusal).not.toContain('their-password');
  });

  it('when the database never answers', async () => {
    const DATABASE_URL = `postgres://someone:their-password@127.0.0.1:${busyPort}/theirs`;
    expect(await refusalOf({ DATABASE_URL })).toMatch(/cannot be used: .*timeout/);
  });

  it('when the password of the database is wrong', async () => {
    const DATABASE_URL = database.url.replace(database.target.password, 'mistyped');
    const refusal = await refusalOf({ DATABASE_URL });
    expect(refusal).toContain('password authentication failed');
    expect(refusal).not.toContain('mistyped');
  });

  it('when the database does not exist', async () => {
    const DATABASE_URL = database.url.replace(database.target.database, 'nowhere');
    expect(await refusalOf({ DATABASE_URL })).toContain('database "nowhere" does not exist');
  });

  it('when the role may not create tables', async () => {
    await database.query('REVOKE CREATE ON SCHEMA public FROM pg_database_owner');
    expect(await refusalOf({})).toBe(
      `The role "tester" may not make tables in the schema "public" of the database "${database.target.database}" (GRANT CREATE ON SCHEMA public TO "tester").\n`,
    );
    await database.query('GRANT CREATE ON SCHEMA public TO pg_database_owner');
  });

  it('when the database is read-only', async () => {
    const { database: name } = database.target;
    await database.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    expect(await refusalOf({})).toBe(
      `The database "${name}" is read-only (default_transaction_read_only is on).\n`,
    );
    await database.query(
      `SET default_transaction_read_only = off; ALTER DATABASE ${name} RESET default_transaction_read_only`,
    );
  });

  it('when the encoding of the database is not UTF8', async () => {
    const name = `latin_${database.target.database}`;
    await asAdmin(
      `CREATE DATABASE ${name} OWNER tester ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
    );
    const DATABASE_URL = database.url.replace(database.target.database, name);
    const refusal = await refusalOf({ DATABASE_URL });
    expect(refusal).toContain(`The database "${name}" has the encoding LATIN1; UTF8 is needed`);
    await asAdmin(`DROP DATABASE ${name}`);
  });

  it('when the database has no free connection', async () => {
    await database.lock();
    expect(await refusalOf({})).toMatch(/cannot be used: too many connections for database/);
    await database.unlock();
  });

  it('when an earlier release created its tables in another schema', async () => {
    const DATABASE_URL = database.url;
    await database.query('ALTER SCHEMA public RENAME TO tester');
    await database.query('CREATE SCHEMA public');
    expect(await refusalOf({ DATABASE_URL })).toContain(
      'The tables of Gatehouse are in the schema "tester"',
    );
    await database.query('DROP SCHEMA public');
    await database.query('ALTER SCHEMA tester RENAME TO public');
  });

  it('when none of several database servers accepts writes', async () => {
    const DATABASE_URL = 'postgres://someone:their-password@127.0.0.1:1,127.0.0.1:2/theirs';
    const refusal = await refusalOf({ DATABASE_URL });
    expect(refusal).toMatch(/no server takes writes \(127\.0\.0\.1:1: .*ECONNREFUSED/);
    expect(refusal).toMatch(/^The database at 127\.0\.0\.1:1,127\.0\.0\.1:2\/theirs cannot/);
    expect(refusal).not.toContain('their-password');
  });

  it('when DATABASE_URL is not a PostgreSQL address', async () => {
    const DATABASE_URL = 'mysql://someone:their-password@localhost/theirs';
    const refusal = await refusalOf({ DATABASE_URL });
    expect(refusal).toContain('DATABASE_URL must be a postgres:// URL');
    expect(refusal).not.toContain('their-password');
  });

  it('when settings for production are missing, and names all of them', async () => {
    const refusal = await refusalOf({ NODE_ENV: 'production', DATABASE_URL: '', SECRET_KEYS: '' });
    for (const name of ['DATABASE_URL', 'SECRET_KEYS', 'ISSUER']) {
      expect(refusal).toContain(`${name} is required in production`);
    }
  });

  it('when the issuer is not https in production', async () => {
    const env = { NODE_ENV: 'production', ISSUER: 'http://auth.example.com' };
    expect(await refusalOf(env)).toContain('ISSUER must be https in production');
  });

  it('when DATABASE_URL is set without SECRET_KEYS', async () => {
    expect(await refusalOf({ SECRET_KEYS: '' })).toContain('SECRET_KEYS is required');
  });
});
