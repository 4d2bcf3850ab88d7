import { randomBytes } from 'node:crypto';
import pg from 'pg';

import type { TestServer } from '../jest/global-setup.js';

/** A migrated, empty database of its own. */
export interface TestDatabase {
  readonly target: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  /** For a client of the test's own: the same, and settings that no default of the database changes. */
  readonly client: pg.ClientConfig;
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

/** Returns the server that the global setup started. */
export function testServer(): TestServer {
  return JSON.parse(process.env['GATEHOUSE_TEST_SERVER'] ?? '{}') as TestServer;
}

/**
 * Defaults of sessions under which a program that pins nothing goes wrong: times read differently, races have other
 * winners, statements end early, names lead elsewhere.
 */
const HOSTILE_DEFAULTS = {
  datestyle: `'German, DMY'`,
  intervalstyle: 'sql_standard',
  timezone: `'Asia/Kathmandu'`,
  client_encoding: 'LATIN1',
  default_transaction_isolation: 'serializable',
  search_path: 'hostile, nowhere',
  standard_conforming_strings: 'off',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  array_nulls: 'off',
  transform_null_equals: 'on',
  exit_on_error: 'on',
  statement_timeout: '100',
  lock_timeout: '1',
  idle_in_transaction_session_timeout: '1',
  idle_session_timeout: '200',
  transaction_timeout: '100',
  plan_cache_mode: 'force_custom_plan',
  enable_indexscan: 'off',
};

/** Settings that the test's own clients rely on. */
const OWN_OPTIONS =
  '-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c search_path=public -c standard_conforming_strings=on' +
  ' -c default_transaction_isolation=read\\ committed -c bytea_output=hex -c array_nulls=on -c transform_null_equals=off' +
  ' -c extra_float_digits=1 -c exit_on_error=off -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0' +
  ' -c idle_in_transaction_session_timeout=0 -c transaction_timeout=0 -c enable_indexscan=on';

/** Gives every session of a database hostile defaults: half of them its own, half the role's. */
async function makeHostile(database: string, role: string): Promise<void> {
  const settings = Object.entries(HOSTILE_DEFAULTS).map(([name, value], index) => {
    const whose = index % 2 === 0 ? '' : `ROLE ${role} IN `;
    return `ALTER ${whose}DATABASE ${database} SET ${name} = ${value}`;
  });
  await asAdmin(settings.join('; '));
}

/** @param template an empty database if `template0`, else (the default) a migrated one */
export async function createTestDatabase(template = 'template_gatehouse'): Promise<TestDatabase> {
  const { admin, owner } = testServer();
  const database = `test_${randomBytes(6).toString('hex')}`;
  // Copying files takes a tenth of the time that writing each page to the write-ahead log takes.
  await asAdmin(
    `CREATE DATABASE ${database} TEMPLATE ${template} STRATEGY file_copy OWNER ${owner.user}`,
  );
  if (process.env['GATEHOUSE_TEST_DEFAULTS'] === 'hostile') await makeHostile(database, owner.user);
  const { host = '', port = 0 } = admin;
  const target = { host, port, ...owner, database };
  const client = { ...target, options: OWN_OPTIONS };
  const pool = new pg.Pool({ ...client, max: 2 });
  pool.on('error', () => undefined);
  const query: TestDatabase['query'] = async (sql, values) => (await pool.query(sql, values)).rows;

  return {
    target,
    client,
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

/** Runs statements as a superuser. */
export async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client(testServer().admin);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
