/**
 * The number that a path addresses a row by, as in `/contacts/12`.
 * @returns `undefined` for text that is not such a number in our own spelling
 */
export function readRowId(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
