import pg from 'pg';
import type { DataSource } from 'typeorm';

import { describeTarget, plainOptions, type DatabaseTarget } from './connection.js';
import { errorCode, errorMessage } from './errors.js';
import { UNDISTURBED } from './session.js';
import { StartupError } from './startup-error.js';
import { isDatabaseUnavailable } from './unavailable.js';

const OLDEST_POSTGRES = 150_000;
const CONNECT_TIMEOUT_MS = 3000;
const ANSWER_TIMEOUT_MS = 15_000;
/** Repeated, because a pooler may give a client the same server session several times by chance. */
const SESSION_CHECKS = 3;

/** The schema of the tables. The role needs the right to create tables there, for partitions. */
const SCHEMA = 'public';

type Mode = 'serve' | 'share';

/**
 * Checks that the database can be used, and connects a data source.
 *
 * @param mode `serve` creates tables (migrations and partitions); `share` does not
 * @throws StartupError if it is unreachable, refuses the role, is too old, a standby, read-only or of another
 *   encoding, lacks the right to create tables, or is behind a pooler in transaction mode
 */
export async function openDataSource(
  dataSource: DataSource,
  target: DatabaseTarget,
  mode: Mode,
): Promise<void> {
  try {
    await inspect(target, mode);
    await dataSource.initialize();
  } catch (error) {
    throw error instanceof StartupError ? error : unusable(error, target);
  }
}

/**
 * Turns an error of the database that the operator must fix into a `StartupError`.
 *
 * @returns other errors unchanged
 */
export function asStartupError(error: unknown, target: DatabaseTarget): unknown {
  if (error instanceof StartupError) return error;
  const isRefused = errorCode(error) === INSUFFICIENT_PRIVILEGE;
  if (!isRefused && !isDatabaseUnavailable(error)) return error;
  return unusable(error, target);
}

function unusable(error: unknown, target: DatabaseTarget): StartupError {
  const where = `The database at ${describeTarget(target)}`;
  return new StartupError(`${where} cannot be used: ${reasonOf(error)}.`, { cause: error });
}

const INSUFFICIENT_PRIVILEGE = '42501';

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorMessage).join('; ');
  const reason = errorMessage(error) || (errorCode(error) ?? 'unknown reason');
  return reason.replaceAll(/\s*\n\s*/g, ' ').replace(/\.$/, '');
}

/** Inspects the server over connections without preparation, which would fail on a server that is too old. */
async function inspect(target: DatabaseTarget, mode: Mode): Promise<void> {
  const options = {
    ...(await plainOptions(target)),
    application_name: 'gatehouse start',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  };
  const clients = [new pg.Client(options), new pg.Client(options)] as const;
  for (const client of clients) client.on('error', () => undefined);
  try {
    const [first, second] = clients;
    await first.connect();
    await assertUsable(first, mode);
    await second.connect();
    await assertOwnSessions(first, second);
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
}

async function assertUsable(client: pg.Client, mode: Mode): Promise<void> {
  const [{ server_version_num: number } = {}] = await ask<{ server_version_num: string }>(
    client,
    'SHOW server_version_num',
  );
  if (Number(number) < OLDEST_POSTGRES) {
    const [{ server_version: version } = {}] = await ask<{ server_version: string }>(
      client,
      'SHOW server_version',
    );
    throw new StartupError(`PostgreSQL 15 or later is needed; this one is ${version}.`);
  }
  const [facts] = await ask<Facts>(client, FACTS);
  if (facts === undefined) throw new Error('the database did not report its settings');
  const fault = faultOf(facts, mode);
  if (fault !== undefined) throw new StartupError(fault);
}

interface Facts {
  readonly standby: boolean;
  readonly read_only: boolean;
  readonly encoding: string;
  readonly name: string;
  readonly role: string;
  readonly has_schema: boolean;
  readonly may_create: boolean;
  readonly elsewhere: string | null;
}

const FACTS = `SELECT pg_catalog.pg_is_in_recovery() AS standby,
  pg_catalog.current_setting('transaction_read_only')::boolean AS read_only,
  pg_catalog.current_setting('server_encoding') AS encoding,
  pg_catalog.current_database() AS name, current_user AS role,
  schema.oid IS NOT NULL AS has_schema,
  coalesce(pg_catalog.has_schema_privilege(schema.oid, 'CREATE'), false) AS may_create,
  CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_class
      WHERE relname = 'credentials' AND relnamespace = schema.oid)
    THEN (SELECT pg_catalog.min(nspname::text) FROM pg_catalog.pg_namespace other
      WHERE nspname IN (SELECT pg_catalog.unnest(pg_catalog.current_schemas(false)))
        AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class
          WHERE relnamespace = other.oid
            AND relname IN ('credentials', 'revocations', 'migrations')) = 3)
  END AS elsewhere
FROM (SELECT pg_catalog.to_regnamespace('${SCHEMA}') AS oid) AS schema`;

function faultOf(facts: Facts, mode: Mode): string | undefined {
  const database = `The database "${facts.name}"`;
  // A standby lags behind the primary and would accept credentials that were just revoked.
  if (facts.standby) return 'DATABASE_URL names a standby; the primary is needed.';
  if (facts.read_only) return `${database} is read-only (default_transaction_read_only is on).`;
  if (facts.encoding !== 'UTF8') {
    return `${database} has the encoding ${facts.encoding}; UTF8 is needed (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0).`;
  }
  // An earlier release created its tables in the schema of the default search_path.
  if (facts.elsewhere !== null) {
    return `The tables of Gatehouse are in the schema "${facts.elsewhere}"; they have to be in "${SCHEMA}" (ALTER TABLE … SET SCHEMA).`;
  }
  if (!facts.has_schema) return `${database} has no schema "${SCHEMA}", in which tables are made.`;
  if (mode === 'serve' && !facts.may_create) {
    return `The role "${facts.role}" may not make tables in the schema "${SCHEMA}" of ${database.toLowerCase()} (GRANT CREATE ON SCHEMA ${SCHEMA} TO "${facts.role}").`;
  }
  return undefined;
}

/**
 * Checks that a connection keeps its session. With a pooler in transaction mode, two clients share a server session,
 * or one client sees several.
 */
async function assertOwnSessions(first: pg.Client, second: pg.Client): Promise<void> {
  const firsts = new Set<number>();
  const seconds = new Set<number>();
  for (let check = 0; check < SESSION_CHECKS; check++) {
    firsts.add(await backendOf(first));
    seconds.add(await backendOf(second));
  }
  const isShared = [...firsts].some((backend) => seconds.has(backend));
  if (firsts.size === 1 && seconds.size === 1 && !isShared) return;
  throw new StartupError(
    'DATABASE_URL leads through a pooler in transaction mode, which keeps neither settings nor locks of a session: use its session mode (pool_mode = session), or connect directly.',
  );
}

async function backendOf(client: pg.Client): Promise<number> {
  const [{ pid } = { pid: 0 }] = await ask<{ pid: number }>(
    client,
    'SELECT pg_catalog.pg_backend_pid() AS pid',
  );
  return pid;
}

/** Queries in a transaction without the database's default timeouts and isolation level. */
async function ask<Row extends pg.QueryResultRow>(
  client: pg.Client,
  question: string,
): Promise<readonly Row[]> {
  const text = [...UNDISTURBED, question].join('; ');
  const results = (await client.query(text)) as unknown as readonly pg.QueryResult<Row>[];
  return results.at(-1)?.rows ?? [];
}
