import type pg from 'pg';

/**
 * The use of a session, which determines its timeouts. `startup` has none, for migrations. `verifier` has short
 * ones, because requests wait for its verdicts.
 */
export type SessionKind = 'request' | 'startup' | 'verifier';

/**
 * The settings on which results depend. `ALTER DATABASE … SET`, `ALTER ROLE … SET` and `postgresql.conf` can change
 * their defaults.
 */
const PINNED = {
  client_encoding: `'UTF8'`,
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: `'UTC'`,
  standard_conforming_strings: 'on',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  transform_null_equals: 'off',
  row_security: 'on',
  exit_on_error: 'off',
  check_function_bodies: 'on',
  // pg_catalog comes first implicitly; temporary tables must not shadow ours.
  search_path: 'public, pg_temp',
  default_transaction_isolation: `'read committed'`,
  default_transaction_deferrable: 'off',
  idle_session_timeout: '0',
} satisfies Settings;

/** Timeouts of the server in milliseconds, so that abandoned work ends too. */
const TIMEOUTS: Readonly<Record<SessionKind, Settings>> = {
  request: {
    lock_timeout: '5000',
    idle_in_transaction_session_timeout: '30000',
    statement_timeout: '15000',
  },
  startup: {
    lock_timeout: '0',
    idle_in_transaction_session_timeout: '0',
    statement_timeout: '0',
  },
  verifier: {
    lock_timeout: '2500',
    idle_in_transaction_session_timeout: '30000',
    statement_timeout: '2500',
  },
};

/**
 * Forces index probes in the verifier's query. Otherwise outdated table statistics could turn a lookup into a scan
 * while tables grow.
 */
const PLAN = {
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
} satisfies Settings;

type Settings = Readonly<Record<string, string>>;

/** A commit that waits longer than this is taken to wait for a synchronous standby that is gone. */
const STANDBY_ANSWERS_WITHIN = '5 seconds';

/**
 * The first statements of a transaction that must not depend on the database's default timeouts and isolation level.
 * A standby refuses serializable transactions.
 */
export const UNDISTURBED: readonly string[] = [
  'SET LOCAL statement_timeout = 0',
  'SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
  disableTransactionTimeout('local'),
];

/** Applies to PostgreSQL 17 and later. Earlier releases do not have the setting. */
function disableTransactionTimeout(extent: 'local' | 'session'): string {
  return `SELECT pg_catalog.set_config('transaction_timeout', '0', ${extent === 'local'})
    WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL`;
}

/** The facts read while a session was prepared. */
export interface Session {
  /** Commits of this role that wait too long for a synchronous standby. */
  readonly waitingCommits: number;
}

/** The server is not the primary, or rejects writes for another reason. */
class ReadOnlyError extends Error {
  /** read_only_sql_transaction: temporary, as after a failover. */
  readonly code = '25006';
}

/**
 * Prepares a session in one round trip: pins its settings and checks that it can write. A standby lags behind and
 * would accept credentials that were just revoked on the primary.
 *
 * @throws ReadOnlyError if the server is a standby or the database is read-only
 */
export async function prepareSession(client: pg.ClientBase, kind: SessionKind): Promise<Session> {
  // The types of `pg` do not include the array of results of several statements.
  const results = (await client.query(BATCHES[kind])) as unknown as readonly pg.QueryResult[];
  const [facts] = (results.at(-1)?.rows ?? []) as {
    standby: boolean;
    read_only: boolean;
    waiting: number;
  }[];
  if (facts?.standby !== false) throw new ReadOnlyError('the database is a standby');
  // `default_transaction_read_only` is respected: the operator set it to prevent writes.
  if (facts.read_only) throw new ReadOnlyError('the database is read-only');
  return { waitingCommits: facts.waiting };
}

const BATCHES: Readonly<Record<SessionKind, string>> = {
  request: batch('request'),
  startup: batch('startup'),
  verifier: batch('verifier'),
};

function batch(kind: SessionKind): string {
  const settings: Settings = {
    ...PINNED,
    ...(kind === 'verifier' && PLAN),
    ...TIMEOUTS[kind],
  };
  // Only this role's commits, because an ordinary role cannot see those of others.
  const waiting = `(SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity
    WHERE wait_event = 'SyncRep' AND usename = current_user AND datname = current_database()
      AND query_start < pg_catalog.clock_timestamp() - interval '${STANDBY_ANSWERS_WITHIN}')`;
  return [
    ...UNDISTURBED,
    ...Object.entries(settings).map(([name, value]) => `SET ${name} = ${value}`),
    disableTransactionTimeout('session'),
    `SELECT pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.current_setting('transaction_read_only')::boolean AS read_only,
       ${kind === 'request' ? waiting : '0'} AS waiting`,
  ].join(';\n');
}
