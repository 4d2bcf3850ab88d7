/** SQLSTATE classes and codes that say "not now" rather than "not like this". */
const TEMPORARY = /^(08|53|57P|40001|40P01|55P03|57014|25P0[34])/;

/** What Node and `pg` report when a connection cannot be made or ends. */
const CONNECTION = /^(ECONN|EPIPE|ENOENT|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET)/;

const DRIVER_MESSAGES = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Cannot use a pool after calling end',
  'Driver not Connected',
];

/**
 * Whether an error means that the database could not be asked, or gave up a request that may
 * succeed when it is made again: unreachable, restarting, overloaded, timed out.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // TypeORM wraps the driver's error; Node wraps the attempts over several addresses.
  if ('driverError' in error && error.driverError !== error) {
    if (isDatabaseUnavailable(error.driverError)) return true;
  }
  if (error instanceof AggregateError) return error.errors.some(isDatabaseUnavailable);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    TEMPORARY.test(code) ||
    CONNECTION.test(code) ||
    // The driver gives these no code.
    DRIVER_MESSAGES.some((message) => error.message.includes(message))
  );
}
