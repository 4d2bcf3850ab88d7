// Errors of the system and of libraries are told by their members, not by `instanceof`: they need not
// come from the realm that this code runs in, such as a test's sandbox.

/** The `code` of a system's or a database's error (`ENOENT`, `28P01`). */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What an error says, for a sentence of ours to quote. */
export function errorMessage(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error);
  return String(error.message);
}
