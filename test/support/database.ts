import { randomBytes } from 'node:crypto';
import pg from 'pg';

import type { TestServer } from './global-setup.js';

/** A migrated, empty database of its own. */
export interface TestDatabase {
  readonly target: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  /** The same as a `DATABASE_URL`. */
  readonly url: string;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Moves the one "now" by which everything is judged, by a PostgreSQL interval such as `2 days`. */
  shiftClock(interval: string): Promise<void>;
  /** Ends every connection and admits no new one, until `unlock`: it cannot be asked. */
  lock(): Promise<void>;
  unlock(): Promise<void>;
  /** Every row of every table, as text. */
  dump(): Promise<string>;
  drop(): Promise<void>;
}

/** What the global setup started. */
export function testServer(): TestServer {
  return JSON.parse(process.env['GATEHOUSE_TEST_SERVER'] ?? '{}') as TestServer;
}

/** @param template an empty database if `template0`, else (the default) a migrated one */
export async function createTestDatabase(template = 'template_gatehouse'): Promise<TestDatabase> {
  const { admin, owner } = testServer();
  const database = `test_${randomBytes(6).toString('hex')}`;
  await asAdmin(`CREATE DATABASE ${database} TEMPLATE ${template} OWNER ${owner.user}`);
  const { host = '', port = 0 } = admin;
  const target = { host, port, ...owner, database };
  const pool = new pg.Pool({ ...target, max: 2 });
  pool.on('error', () => undefined);
  const query: TestDatabase['query'] = async (sql, values) => (await pool.query(sql, values)).rows;

  return {
    target,
    query,
    url: `postgres://${owner.user}:${owner.password}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    async shiftClock(interval) {
      await query(
        `CREATE OR REPLACE FUNCTION gatehouse_now() RETURNS timestamptz LANGUAGE sql STABLE
           AS $$ SELECT statement_timestamp() + interval '${interval}' $$`,
      );
    },
    async lock() {
      await asAdmin(`ALTER DATABASE ${database} CONNECTION LIMIT 0`);
      await asAdmin(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${database}'`,
      );
    },
    unlock: () => asAdmin(`ALTER DATABASE ${database} CONNECTION LIMIT -1`),
    async dump() {
      const tables = await query<{ name: string }>(
        `SELECT format('%I', tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
      );
      const dumps = tables.map(async ({ name }) => {
        const rows = await query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
        return `${name}\n${rows.map(({ row }) => row).join('\n')}`;
      });
      return (await Promise.all(dumps)).join('\n');
    },
    async drop() {
      await pool.end();
      await asAdmin(`DROP DATABASE ${database} WITH (FORCE)`);
    },
  };
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client(testServer().admin);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
