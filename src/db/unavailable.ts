import { errorCode, errorMessage } from './errors.js';

/**
 * SQLSTATE classes and codes of temporary errors: connection errors (08), missing role or database (28, 3D),
 * resources (53), operator intervention (57P), timeouts, deadlocks, and a standby that rejects writes.
 */
const TEMPORARY = /^(08|28|3D|53|57P|40001|40P01|55P03|57014|25006|25P0[34])/;

/** Codes of Node and `pg` for connections that cannot be made or end, TLS included. */
const CONNECTION =
  /^(ECONN|EPIPE|ENOENT|EACCES|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET|ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_)/;

/** Errors of the driver and its pool that have no code. */
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
  // Thrown by TypeORM if the connection breaks between two statements of a transaction.
  'Query runner already released',
  'provided by a query runner was already released',
];

/**
 * Whether an error means that the database was unreachable, restarting, overloaded or timed out, so that a
 * repeated request may succeed.
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
