import type { Context, Middleware } from 'koa';

/** Origins that may read an answer: all of them, or these. */
export type Readers = '*' | readonly string[];

/** The origins of some URLs; schemes that have none are left out. */
export function originsOf(urls: readonly string[]): readonly string[] {
  return urls.map((url) => new URL(url).origin).filter((origin) => origin !== 'null');
}

/** A path and the methods that it answers, for preflights. */
export interface CorsPath {
  /** To the letter; or a prefix that one more segment follows. */
  readonly path: string;
  readonly isPrefix?: boolean;
  readonly methods: string;
}

/** Who may read answers across origins, by path. */
export interface CorsRules {
  /** Whose answers any origin may read. */
  readonly open: readonly CorsPath[];
  /** Whose answers say themselves who may read them, by `ctx.state.readers`: nobody, if they don't. */
  readonly decided: readonly CorsPath[];
  /** The resource API's prefix, readable from the listed origins only. */
  readonly listed: {
    readonly prefix: string;
    readonly origins: ReadonlySet<string>;
    /** Request headers allowed there beyond the common ones. */
    readonly headers: readonly string[];
  };
}

const REQUEST_HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'MCP-Protocol-Version'];
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
export function createCors({ open, decided, listed }: CorsRules): Middleware {
  const findOpen = createFinder(open);
  const findDecided = createFinder(decided);
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
    if (!path.startsWith(listed.prefix) || listed.origins.size === 0) return next();
    ctx.vary('Origin');
    const origin = ctx.get('Origin');
    if (!listed.origins.has(origin)) return next();
    if (isPreflight(ctx)) return answerPreflight(ctx, origin, METHODS, listedHeaders);
    admit(ctx, origin);
    return next();
  };
}

function createFinder(paths: readonly CorsPath[]): (path: string) => CorsPath | undefined {
  const exact = new Map(paths.filter(({ isPrefix }) => !isPrefix).map((item) => [item.path, item]));
  const prefixes = paths.filter(({ isPrefix }) => isPrefix);
  const isBelow = (path: string, prefix: string) =>
    path.startsWith(prefix) && path.length > prefix.length && !path.includes('/', prefix.length);
  return (path) => exact.get(path) ?? prefixes.find((item) => isBelow(path, item.path));
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
  ctx.set({
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': headers.join(', '),
    'Access-Control-Max-Age': MAX_AGE_SECONDS,
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
