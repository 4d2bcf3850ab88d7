/**
 * Reads an absolute URL.
 *
 * `URL.canParse` would be shorter, but on Node 20 it says no to every text beyond ASCII once it was called
 * often enough to be optimized.
 *
 * @returns `undefined` if the text is not a URL
 */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
