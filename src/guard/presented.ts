import type { Presentation } from './types.js';

/** The header lines of a request: names and values in turn, as in `rawHeaders` of Node. */
export type HeaderLines = readonly string[];

/** A credential, and the way in which it was presented. */
export interface Presented {
  readonly raw: string;
  readonly by: Presentation;
  readonly publishableKey?: string;
}

/** The parts of a request's headers and query that a guard reads. */
export interface Found {
  /**
   * The credential; `undefined` if there is none, or only one in an unknown scheme; `several` for two at once that are
   * not a pair.
   */
  readonly presented: Presented | undefined | 'several';
  readonly authorization: string | undefined;
  /** The values of the header `DPoP`. */
  readonly proofs: readonly string[];
  /** The values of the header that names a space. */
  readonly spaces: readonly string[];
}

const SCHEMES = new Map<string, Presentation>([
  ['bearer', 'bearer'],
  ['dpop', 'dpop'],
  ['token', 'token'],
]);
const IN_AUTHORIZATION: ReadonlySet<Presentation> = new Set(SCHEMES.values());

/**
 * Makes the function that finds the credential of a request. Header lines are read as they were sent: a header that was
 * sent twice must be refused, and Node and `fetch` join or drop the second line.
 *
 * @param brand `TOKEN_BRAND`
 */
export function createFinder(brand: string) {
  const names = brandHeaders(brand);
  const readers = new Map<string, (value: string) => Presented | undefined>([
    ['authorization', fromAuthorization],
    ['x-api-key', (raw) => ({ raw, by: 'x-api-key' })],
    [names.token.toLowerCase(), (raw) => ({ raw, by: 'brand-header' })],
  ]);
  const space = names.space.toLowerCase();
  const lengths = new Set([...readers.keys(), space, 'dpop'].map((name) => name.length));
  const publishable = [`${brand}_pk_live_`, `${brand}_pk_test_`];
  const isPublishable = (raw: string) => publishable.some((prefix) => raw.startsWith(prefix));

  return (lines: HeaderLines, querystring: string): Found => {
    const all: (Presented | undefined)[] = [];
    const [proofs, spaces]: [string[], string[]] = [[], []];
    let authorization: string | undefined;
    for (let index = 0; index + 1 < lines.length; index += 2) {
      const name = lines[index] ?? '';
      if (!lengths.has(name.length)) continue;
      const lower = name.toLowerCase();
      const value = lines[index + 1] ?? '';
      const read = readers.get(lower);
      if (read !== undefined) all.push(read(value));
      else if (lower === 'dpop') proofs.push(value);
      else if (lower === space) spaces.push(value);
      if (lower === 'authorization') authorization ??= value;
    }
    // The name of the parameter may be percent-encoded.
    if (querystring.includes('auth_token') || querystring.includes('%')) {
      const values = new URLSearchParams(querystring).getAll('auth_token');
      all.push(...values.map((raw) => ({ raw, by: 'query' }) as const));
    }
    const presented = all.length > 1 ? pairOf(all, isPublishable) : all[0];
    return { presented, authorization, proofs, spaces };
  };
}

/** The names of headers with the product's brand, such as `X-Bwp-Space`. */
function brandHeaders(brand: string) {
  const name = brand.charAt(0).toUpperCase() + brand.slice(1);
  return { token: `X-${name}-Api-Token`, space: `X-${name}-Space` };
}

/** The header that a credential came in. */
export function headerOf(by: Presentation, brand: string): string {
  if (by === 'x-api-key') return 'X-API-Key';
  return by === 'brand-header' ? brandHeaders(brand).token : 'Authorization';
}

/** A token with a publishable key. Gatehouse judges whether they are a pair. */
function pairOf(
  all: readonly (Presented | undefined)[],
  isPublishable: (raw: string) => boolean,
): Presented | 'several' {
  const key = all.find((presented) => presented?.by === 'x-api-key');
  const token = all.find((presented) => presented && IN_AUTHORIZATION.has(presented.by));
  const isPair = all.length === 2 && key !== undefined && isPublishable(key.raw);
  return isPair && token !== undefined ? { ...token, publishableKey: key.raw } : 'several';
}

/** Reads `<scheme> <credential>` (RFC 9110 §11.4). */
function fromAuthorization(value: string): Presented | undefined {
  const end = value.indexOf(' ');
  if (end < 0) return undefined;
  const by = SCHEMES.get(value.slice(0, end).toLowerCase());
  const raw = value.slice(end).trim();
  return by === undefined || raw === '' || raw.includes(' ') ? undefined : { raw, by };
}
