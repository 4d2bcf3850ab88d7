import pg from 'pg';

import { connectionOptions, type DatabaseTarget } from '../../db/connection.js';

/** Short, because a request waits for the verdict. */
const CONNECT_TIMEOUT_MS = 1500;
const QUERY_TIMEOUT_MS = 3000;
const CONNECTIONS = 4;

/**
 * Creates the verifier's own pool, so that verdicts do not wait for other work. The statement timeout of its sessions
 * is below `QUERY_TIMEOUT_MS`, so that abandoned queries end on the server too.
 *
 * @param onError called for connections that broke while idle
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
