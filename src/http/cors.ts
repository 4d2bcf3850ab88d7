import type { Context, Middleware } from 'koa';

/** Origins that may read an answer: all of them, or these. */
export type Readers = '*' | readonly string[];

/** The origins of some URLs; schemes that have none are left out. */
export function originsOf(urls: readonly string[]): readonly string[] {
  return urls.map((url) => new URL(url).origin).filter((origin) => origin !== 'null');
}

/** A path and the methods that it answers, for preflights. */
export interface CorsPath {
  /** To the letter, but for what it names as `:id`, which stands for one segment. */
  readonly path: string;
  readonly methods: string;
}

/** Who may read answers across origins, by path. */
export interface CorsRules {
  /** Whose answers any origin may read. */
  readonly open: readonly CorsPath[];
  /** Whose answers say themselves who may read them, by `ctx.state.readers`: nobody, if they don't. */
  readonly decided: readonly CorsPath[];
  /** What any origin may read with a credential that is no secret, and with no other. */
  readonly shown: {
    /** To the letter, but for what they name as `:id`. Only reading them is meant. */
    readonly paths: readonly string[];
    /** The only request headers that a stranger's page may send there. */
    readonly headers: readonly string[];
    /** Whether this is all that a request presents. */
    readonly isShown: (ctx: Context) => boolean;
  };
  /** The resource API's prefix, readable from the listed origins only. */
  readonly listed: {
    readonly prefix: string;
    readonly origins: ReadonlySet<string>;
    /** Request headers allowed there beyond the common ones. */
    readonly headers: readonly string[];
  };
}

const REQUEST_HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'MCP-Protocol-Version'];
const READING = 'GET, HEAD';
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const EXPOSED = [
  'WWW-Authenticate',
  'Retry-After',
  'DPoP-Nonce',
  'X-Request-Id',
  ...['Tenant', 'Key'].flatMap((bucket) =>
    ['Limit', 'Remaining', 'Reset'].map((figure) => `RateLimit-${bucket}-${figure}`),
  ),
].join(', ');

/** Browsers ask again after this; long enough to spare round trips, short enough for a change. */
const MAX_AGE_SECONDS = '600';

/**
 * Cross-origin reading where the rules open it and nowhere else: another path, also one that
 * differs only in case or a slash, gets no `Access-Control-*` header at all. Credentials in the
 * browser's sense (cookies) are never allowed.
 *
 * A preflight carries neither client nor credential, so where an answer decides for itself every
 * origin may ask.
 */
export function createCors({ open, decided, shown, listed }: CorsRules): Middleware {
  const findOpen = createFinder(open);
  const findDecided = createFinder(decided);
  const findShown = createFinder(shown.paths.map((path) => ({ path, methods: READING })));
  const listedHeaders = [...REQUEST_HEADERS, ...listed.headers];

  return (ctx, next) => {
    const { path } = ctx;
    const openPath = findOpen(path);
    if (openPath !== undefined) {
      if (isPreflight(ctx)) return answerPreflight(ctx, '*', openPath.methods, REQUEST_HEADERS);
      admit(ctx, '*');
      return next();
    }
    const decidedPath = findDecided(path);
    if (decidedPath !== undefined) {
      if (isPreflight(ctx)) return answerPreflight(ctx, '*', decidedPath.methods, REQUEST_HEADERS);
      return next().finally(() => admitReaders(ctx));
    }
    if (path.startsWith(listed.prefix) && listed.origins.size > 0) {
      ctx.vary('Origin');
      const origin = ctx.get('Origin');
      if (listed.origins.has(origin)) {
        if (isPreflight(ctx)) return answerPreflight(ctx, origin, METHODS, listedHeaders);
        admit(ctx, origin);
        return next();
      }
    }
    const method = isPreflight(ctx) ? ctx.get('Access-Control-Request-Method') : ctx.method;
    if (!isReading(method) || findShown(path) === undefined) return next();
    if (isPreflight(ctx)) return allow(ctx, '*', READING, shown.headers);
    if (shown.isShown(ctx)) admit(ctx, '*');
    return next();
  };
}

/** Most paths are known to the letter; only those that leave a segment open are tried one by one. */
function createFinder(paths: readonly CorsPath[]): (path: string) => CorsPath | undefined {
  const exact = new Map(paths.map((item) => [item.path, item]));
  const patterns = paths
    .filter(({ path }) => path.includes('/:'))
    .map((item) => ({
      item,
      start: item.path.slice(0, item.path.indexOf(':')),
      segments: item.path.split('/'),
    }));
  return (path) =>
    exact.get(path) ??
    patterns.find(
      ({ start, segments }) => path.startsWith(start) && isLike(segments, path.split('/')),
    )?.item;
}

function isLike(segments: readonly string[], given: readonly string[]): boolean {
  const fits = (segment: string, index: number) =>
    segment.startsWith(':') ? given[index] !== '' : given[index] === segment;
  return segments.length === given.length && segments.every(fits);
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

function isPreflight(ctx: Context): boolean {
  return ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method') !== '';
}

async function answerPreflight(
  ctx: Context,
  origin: string,
  methods: string,
  headers: readonly string[],
): Promise<void> {
  ctx.set('Access-Control-Max-Age', MAX_AGE_SECONDS);
  return allow(ctx, origin, methods, headers);
}

async function allow(
  ctx: Context,
  origin: string,
  methods: string,
  headers: readonly string[],
): Promise<void> {
  ctx.set({
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': headers.join(', '),
  });
  ctx.status = 204;
}

function admitReaders(ctx: Context): void {
  // Only what is decided here counts; a library further in may have ideas of its own.
  ctx.remove('Access-Control-Allow-Origin');
  ctx.remove('Access-Control-Expose-Headers');
  const { readers } = ctx.state as { readers?: Readers };
  if (readers === '*') return admit(ctx, '*');
  ctx.vary('Origin');
  const origin = ctx.get('Origin');
  if (origin !== '' && readers?.includes(origin)) admit(ctx, origin);
  return undefined;
}

function admit(ctx: Context, origin: string): void {
  ctx.set({
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': EXPOSED,
  });
}
