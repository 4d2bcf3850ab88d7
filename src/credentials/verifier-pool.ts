import pg from 'pg';

import { tolerateBreaking } from '../db/connection.js';

/** Short: a request that waits for its verdict is worth little. */
const CONNECT_TIMEOUT_MS = 1500;
const QUERY_TIMEOUT_MS = 3000;
/** Shorter, and on the server's side, so that work that nobody waits for any more ends there too. */
const STATEMENT_TIMEOUT_MS = 2500;
const CONNECTIONS = 4;

/**
 * The verifier's own connections, so that no other work can keep a verdict waiting.
 *
 * Never a standby: it would still accept what was just revoked on the primary.
 *
 * The plan of the one query is pinned to index probes: what the planner makes of table statistics
 * must not turn a lookup into a scan while tables grow.
 *
 * @param target where the database is, in `pg`'s terms
 * @param onError told of connections that broke while idle
 */
export function createVerifierPool(
  target: pg.PoolConfig,
  onError: (error: Error) => void,
): pg.Pool {
  const pool = new pg.Pool({
    ...target,
    max: CONNECTIONS,
    application_name: 'gatehouse verifier',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    onConnect: prepare,
  });
  pool.on('error', onError);
  return pool;
}

async function prepare(client: pg.ClientBase): Promise<void> {
  tolerateBreaking(client);
  await client.query(
    `SET statement_timeout = ${STATEMENT_TIMEOUT_MS}; SET lock_timeout = ${STATEMENT_TIMEOUT_MS};
     SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off;
     SET enable_hashjoin = off; SET enable_mergejoin = off`,
  );
  const { rows } = await client.query<{ standby: boolean }>(
    'SELECT pg_is_in_recovery() AS standby',
  );
  if (rows[0]?.standby !== false) throw new Error('the database is a standby, which lags behind');
}
