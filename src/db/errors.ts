// Errors of the system and of libraries are recognised by their members, not by `instanceof`: they may come from
// another realm than this code, such as a test's sandbox.

/** The `code` of a system's or a database's error (`ENOENT`, `28P01`). */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of an error, to be quoted in another message. */
export function errorMessage(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error);
  return String(error.message);
}
