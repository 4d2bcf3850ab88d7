import type { Context, Middleware } from 'koa';

/** Origins that may read an answer: all of them, or these. */
export type Readers = '*' | readonly string[];

/** The origins of some URLs; schemes that have none are left out. */
export function originsOf(urls: readonly string[]): readonly string[] {
  return urls.map((url) => new URL(url).origin).filter((origin) => origin !== 'null');
}

/** A path and the methods that it answers, for preflights. */
export interface CorsPath {
  /** Matched exactly, except that `:id` stands for one segment. */
  readonly path: string;
  readonly methods: string;
}

/** The origins that may read answers, by path. */
export interface CorsRules {
  /** Any origin may read the answers of these paths. */
  readonly anyOrigin: readonly CorsPath[];
  /** Each answer of these paths sets its readers in `ctx.state.readers`. The default is nobody. */
  readonly perResponse: readonly CorsPath[];
  /** Any origin may read these paths with a publishable key and no other credential. */
  readonly publishableOnly: {
    /** Matched as in `CorsPath`, for GET and HEAD only. */
    readonly paths: readonly string[];
    /** The only request headers that a preflight allows there. */
    readonly headers: readonly string[];
    /** Whether a request presents a publishable key and nothing else. */
    readonly presentsPublishableKey: (ctx: Context) => boolean;
  };
  /** Paths below a prefix that the origins in `CORS_ALLOWED_ORIGINS` may read. */
  readonly allowedOrigins: {
    readonly prefix: string;
    readonly origins: ReadonlySet<string>;
    /** Request headers allowed there in addition to the common ones. */
    readonly headers: readonly string[];
  };
}

const REQUEST_HEADERS = ['Authorization', 'Content-Type', 'DPoP', 'MCP-Protocol-Version'];
const READ_METHODS = 'GET, HEAD';
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

/** Browsers cache a preflight for this long. Short enough that a changed rule soon takes effect. */
const MAX_AGE_SECONDS = '600';

/**
 * Makes the CORS middleware. A path without a rule gets no `Access-Control-*` header, even if it differs from
 * one with a rule only in case or a slash. Cookies are never allowed (`Access-Control-Allow-Credentials`).
 *
 * A preflight carries neither client nor credential, so preflights of `perResponse` paths are open to every
 * origin.
 */
export function createCors({
  anyOrigin,
  perResponse,
  publishableOnly,
  allowedOrigins,
}: CorsRules): Middleware {
  const findAnyOrigin = createFinder(anyOrigin);
  const findPerResponse = createFinder(perResponse);
  const findPublishable = createFinder(
    publishableOnly.paths.map((path) => ({ path, methods: READ_METHODS })),
  );
  const allowedHeaders = [...REQUEST_HEADERS, ...allowedOrigins.headers];

  return (ctx, next) => {
    const { path } = ctx;
    const anyOriginPath = findAnyOrigin(path);
    if (anyOriginPath !== undefined) {
      if (isPreflight(ctx)) {
        return answerPreflight(ctx, '*', anyOriginPath.methods, REQUEST_HEADERS);
      }
      admit(ctx, '*');
      return next();
    }
    const perResponsePath = findPerResponse(path);
    if (perResponsePath !== undefined) {
      if (isPreflight(ctx)) {
        return answerPreflight(ctx, '*', perResponsePath.methods, REQUEST_HEADERS);
      }
      return next().finally(() => admitReaders(ctx));
    }
    if (path.startsWith(allowedOrigins.prefix) && allowedOrigins.origins.size > 0) {
      ctx.vary('Origin');
      const origin = ctx.get('Origin');
      if (allowedOrigins.origins.has(origin)) {
        if (isPreflight(ctx)) return answerPreflight(ctx, origin, METHODS, allowedHeaders);
        admit(ctx, origin);
        return next();
      }
    }
    const method = isPreflight(ctx) ? ctx.get('Access-Control-Request-Method') : ctx.method;
    if (!isRead(method) || findPublishable(path) === undefined) return next();
    if (isPreflight(ctx)) return allow(ctx, '*', READ_METHODS, publishableOnly.headers);
    if (publishableOnly.presentsPublishableKey(ctx)) admit(ctx, '*');
    return next();
  };
}

/** Looks paths up in a table. Only patterns with a parameter are tried one by one. */
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

function isRead(method: string): boolean {
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
  // A library further in may have set these headers.
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
