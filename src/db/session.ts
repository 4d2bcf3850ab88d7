import type pg from 'pg';

/**
 * The user of a session. `startup`: migrating, and waiting for another's migration, takes as long as it takes.
 * `verifier`: a request that waits for its verdict is worth little after a few seconds.
 */
export type SessionKind = 'request' | 'startup' | 'verifier';

/**
 * Everything that answers depend on. `ALTER DATABASE … SET`, `ALTER ROLE … SET` and `postgresql.conf` give sessions
 * other defaults, under which times read differently, races have other winners or statements end early.
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

/** In milliseconds, on the server's side, so that abandoned work ends too. */
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
 * Pins the plan of the verifier's one query to index probes: what the planner makes of table statistics must not
 * turn a lookup into a scan while tables grow.
 */
const PLAN = {
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
} satisfies Settings;

type Settings = Readonly<Record<string, string>>;

/** A commit that waits longer than this for a synchronous standby waits for one that is gone. */
const STANDBY_ANSWERS_WITHIN = '5 seconds';

/**
 * Statements that come first in a transaction which no default of the database may end: a timeout, or the isolation
 * level, since a standby refuses serializable transactions.
 */
export const UNDISTURBED: readonly string[] = [
  'SET LOCAL statement_timeout = 0',
  'SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
  endlessTransactions('local'),
];

/** Of PostgreSQL 17 and later; earlier releases do not know the setting. */
function endlessTransactions(reach: 'local' | 'session'): string {
  return `SELECT pg_catalog.set_config('transaction_timeout', '0', ${reach === 'local'})
    WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL`;
}

/** What a session turned out to be. */
export interface Session {
  /** Commits of this role that have long been waiting for a synchronous standby. */
  readonly waitingCommits: number;
}

/** The server is not the primary, or takes no writes for another reason. */
class ReadOnlyError extends Error {
  /** read_only_sql_transaction: temporary, as after a failover. */
  readonly code = '25006';
}

/**
 * Prepares a session for use, in one round trip: pins its settings and makes sure that it can write. A standby lags
 * behind: it would still accept what was just revoked on the primary.
 *
 * @throws ReadOnlyError if the server is a standby or the database is read-only
 */
export async function prepareSession(client: pg.ClientBase, kind: SessionKind): Promise<Session> {
  // Several statements give several results, which the types of `pg` leave out.
  const results = (await client.query(BATCHES[kind])) as unknown as readonly pg.QueryResult[];
  const [facts] = (results.at(-1)?.rows ?? []) as {
    standby: boolean;
    read_only: boolean;
    waiting: number;
  }[];
  if (facts?.standby !== false) throw new ReadOnlyError('the database is a standby');
  // `default_transaction_read_only` is never overruled: whoever set it wants no writes.
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
  // Those of other roles are hidden from an ordinary role; they are not ours to count.
  const waiting = `(SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity
    WHERE wait_event = 'SyncRep' AND usename = current_user AND datname = current_database()
      AND query_start < pg_catalog.clock_timestamp() - interval '${STANDBY_ANSWERS_WITHIN}')`;
  return [
    ...UNDISTURBED,
    ...Object.entries(settings).map(([name, value]) => `SET ${name} = ${value}`),
    endlessTransactions('session'),
    `SELECT pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.current_setting('transaction_read_only')::boolean AS read_only,
       ${kind === 'request' ? waiting : '0'} AS waiting`,
  ].join(';\n');
}
