/**
 * Reads the number of a row in a path, as in `/contacts/12`.
 * @returns `undefined` unless it is a positive integer in canonical notation
 */
export function readRowId(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
