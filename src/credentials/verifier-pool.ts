import pg from 'pg';

import { connectionOptions, type DatabaseTarget } from '../db/connection.js';

/** Short: a request that waits for its verdict is worth little. */
const CONNECT_TIMEOUT_MS = 1500;
const QUERY_TIMEOUT_MS = 3000;
const CONNECTIONS = 4;

/**
 * The verifier's own connections, so that no other work can keep a verdict waiting. Their sessions end a statement
 * before `QUERY_TIMEOUT_MS`, so that abandoned work ends on the server too.
 *
 * @param target where the database is
 * @param onError told of connections that broke while idle
 */
export function createVerifierPool(
  target: DatabaseTarget,
  onError: (error: Error) => void,
): pg.Pool {
  const pool = new pg.Pool({
    application_name: 'gatehouse verifier',
    ...connectionOptions(target, { kind: 'verifier' }),
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  pool.on('error', onError);
  return pool;
}
