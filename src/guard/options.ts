/** The way in which verdicts may be kept. */
export type Freshness = 'exact' | { readonly maxStaleMs: number };

export interface GuardOptions {
  /** The issuer of the credentials: Gatehouse's origin, such as `https://auth.example.com`. */
  readonly issuer: string;
  /** The credential of this service: that of a resource server, or of a service with the scope `introspect`. */
  readonly credential: string;
  /**
   * `exact`: every verdict is read from the database after the call. `{maxStaleMs}`: verdicts are kept until a change ends
   * them, and none is older than that.
   */
  readonly freshness: Freshness;
  /** The origin at which this service reaches Gatehouse; the issuer by default. */
  readonly url?: string;
  /** The public origin of this service, for which clients make DPoP proofs. Without it, bound credentials are refused. */
  readonly origin?: string;
  /** The protected resource metadata of this service (RFC 9728), for its challenges. */
  readonly resourceMetadataUrl?: string;
  /** `TOKEN_BRAND` of Gatehouse; `bwp` by default. */
  readonly brand?: string;
  /** The time for which a call waits for Gatehouse; 2000 by default. */
  readonly timeoutMs?: number;
  /** The number of verdicts that are kept at most; 10,000 by default. */
  readonly maxKept?: number;
  /** Receives errors that requests are answered 500 or 503 for. By default they are warnings of the process. */
  readonly onError?: (error: Error) => void;
}

/** Checked options, with defaults. */
export interface Settings {
  readonly issuer: string;
  readonly credential: string;
  /** `undefined` if every verdict is asked. */
  readonly maxStaleMs: number | undefined;
  readonly url: URL;
  readonly origin: string | undefined;
  readonly resourceMetadataUrl: string | undefined;
  readonly brand: string;
  readonly timeoutMs: number;
  readonly maxKept: number;
  readonly onError: (error: Error) => void;
}

const NAMES: ReadonlySet<string> = new Set([
  'issuer',
  'credential',
  'freshness',
  'url',
  'origin',
  'resourceMetadataUrl',
  'brand',
  'timeoutMs',
  'maxKept',
  'onError',
]);

const HOUR_MS = 3_600_000;

/** @throws TypeError for invalid or unknown options */
export function readOptions(options: GuardOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) throw new TypeError(`createGuard: ${name} is not an option`);
  }
  const { credential, brand = 'bwp', resourceMetadataUrl, timeoutMs = 2000 } = options;
  const issuer = originOf('issuer', options.issuer);
  if (typeof credential !== 'string' || !/^[\x21-\x7e]+$/.test(credential)) {
    throw new TypeError('createGuard: credential must be a text without spaces and line breaks');
  }
  if (!/^[a-z][a-z0-9]{1,15}$/.test(brand)) throw new TypeError('createGuard: brand is invalid');
  if (
    resourceMetadataUrl !== undefined &&
    !/^https?:\/\/[\x21\x23-\x5b\x5d-\x7e]+$/.test(resourceMetadataUrl)
  ) {
    throw new TypeError('createGuard: resourceMetadataUrl must be a URL');
  }
  assertWithin('timeoutMs', timeoutMs, 1, HOUR_MS);
  const maxStaleMs = staleOf(options.freshness);
  const { maxKept = 10_000 } = options;
  assertWithin('maxKept', maxKept, 1, 10_000_000);
  return {
    issuer,
    credential,
    maxStaleMs,
    url: new URL(originOf('url', options.url ?? issuer)),
    origin: options.origin === undefined ? undefined : originOf('origin', options.origin),
    resourceMetadataUrl,
    brand,
    // An answer that took longer than a verdict may be old is of no use.
    timeoutMs: Math.min(timeoutMs, maxStaleMs ?? timeoutMs),
    maxKept,
    onError: options.onError ?? createWarnings(),
  };
}

function staleOf(freshness: Freshness | undefined): number | undefined {
  if (freshness === 'exact') return undefined;
  if (typeof freshness !== 'object' || freshness === null) {
    throw new TypeError("createGuard: freshness must be 'exact' or { maxStaleMs }");
  }
  assertWithin('freshness.maxStaleMs', freshness.maxStaleMs, 1, HOUR_MS);
  return freshness.maxStaleMs;
}

function assertWithin(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new TypeError(`createGuard: ${name} must be an integer between ${least} and ${most}`);
}

function originOf(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === undefined || !isWeb || url.href !== `${url.origin}/`) {
    throw new TypeError(`createGuard: ${name} must be an origin, such as https://auth.example.com`);
  }
  return url.origin;
}

const WARN_EVERY_MS = 10_000;

/** Makes a function that warns of errors, not more often than every ten seconds. */
function createWarnings(): (error: Error) => void {
  let last = -Infinity;
  return ({ message }) => {
    const time = performance.now();
    if (time - last < WARN_EVERY_MS) return;
    last = time;
    process.emitWarning(message, 'GatehouseGuardWarning');
  };
}
