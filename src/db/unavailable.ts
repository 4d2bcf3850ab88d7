import { errorCode, errorMessage } from './errors.js';

/**
 * SQLSTATE classes and codes that say "not now" rather than "not like this": connection trouble,
 * no such role or database (28, 3D), resources, an operator's intervention, timeouts, deadlocks, a standby that takes no writes.
 */
const TEMPORARY = /^(08|28|3D|53|57P|40001|40P01|55P03|57014|25006|25P0[34])/;

/** What Node and `pg` report when a connection cannot be made or ends, TLS included. */
const CONNECTION =
  /^(ECONN|EPIPE|ENOENT|EACCES|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET|ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)/;

/** What the driver and its pool give no code. */
const DRIVER_MESSAGES = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'does not support SSL connections',
  'error establishing an SSL connection',
  'Query read timeout',
  'Cannot use a pool after calling end',
  'Driver not Connected',
  // TypeORM's, when the connection broke between two statements of a transaction.
  'Query runner already released',
  'provided by a query runner was already released',
];

/**
 * Whether an error means that the database could not be asked, or gave up a request that may
 * succeed when it is made again: unreachable, restarting, overloaded, timed out.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  // TypeORM wraps the driver's error; Node wraps the attempts over several addresses.
  if ('driverError' in error && error.driverError !== error) {
    if (isDatabaseUnavailable(error.driverError)) return true;
  }
  if ('errors' in error && Array.isArray(error.errors)) {
    return error.errors.some(isDatabaseUnavailable);
  }
  const code = errorCode(error) ?? '';
  return (
    TEMPORARY.test(code) ||
    CONNECTION.test(code) ||
    DRIVER_MESSAGES.some((message) => errorMessage(error).includes(message))
  );
}
