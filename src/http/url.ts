/**
 * Parses an absolute URL. `URL.canParse` is not used: on Node 20 it rejects every text with non-ASCII characters once
 * it is optimised.
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
