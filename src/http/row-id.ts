/**
 * The number that a path addresses a row by, as in `/contacts/12`.
 * @returns `undefined` for what is no such number, or written in another way than we write it
 */
export function readRowId(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
