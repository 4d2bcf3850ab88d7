import type { Context, Middleware } from 'koa';

import { addHeader } from './answer-headers.js';
import type { RequestState } from './context.js';

/** Origins that may read an answer: all of them, or these. */
export type Readers = '*' | readonly string[];

/** The origins of some URLs; schemes that have none are left out. */
export function originsOf(urls: readonly string[]): readonly string[] {
  return urls.map((url) => new URL(url).origin).filter((origin) => origin !== 'null');
}

/** The rules that apply beside those that routes declare. */
export interface CorsRules {
  readonly publishableOnly: {
    /** The only request headers that a preflight allows there. */
    readonly headers: readonly string[];
    /** Whether a request presents a publishable key and nothing else. */
    readonly presentsPublishableKey: (ctx: Context) => boolean;
  };
  readonly allowedOrigins: {
    /** Below it, they may also read that a path does not exist. */
    readonly prefix: string;
    /** `CORS_ALLOWED_ORIGINS` */
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
 * Makes the CORS middleware, behind `Router.find`. A path whose routes declare nothing gets no `Access-Control-*` header.
 * Cookies are never allowed (`Access-Control-Allow-Credentials`).
 *
 * A preflight carries neither client nor credential, so preflights of `perResponse` paths are open to every
 * origin.
 */
export function createCors({
  publishableOnly,
  allowedOrigins,
}: CorsRules): Middleware<RequestState> {
  const allowedHeaders = [...REQUEST_HEADERS, ...allowedOrigins.headers];

  return (context, next) => {
    const ctx = context as Context;
    const { matched } = context.state;
    if (matched?.cors === 'anyOrigin' || matched?.cors === 'perResponse') {
      if (isPreflight(ctx)) {
        const methods = [...matched.byMethod.keys()].join(', ');
        return answerPreflight(ctx, '*', methods, REQUEST_HEADERS);
      }
      if (matched.cors === 'perResponse') return next().finally(() => admitReaders(ctx));
      admit(ctx, '*');
      return next();
    }
    const isReadable =
      matched === undefined
        ? ctx.path.startsWith(allowedOrigins.prefix)
        : matched.cors !== undefined;
    if (!isReadable) return next();
    if (allowedOrigins.origins.size > 0) {
      ctx.vary('Origin');
      const origin = ctx.get('Origin');
      if (allowedOrigins.origins.has(origin)) {
        if (isPreflight(ctx)) return answerPreflight(ctx, origin, METHODS, allowedHeaders);
        admit(ctx, origin);
        return next();
      }
    }
    if (matched === undefined) return next();
    const method = isPreflight(ctx)
      ? ctx.get('Access-Control-Request-Method')
      : (ctx.req.method ?? '');
    if (matched.byMethod.get(method)?.cors !== 'publishableOnly') return next();
    if (isPreflight(ctx)) return allow(ctx, '*', READ_METHODS, publishableOnly.headers);
    if (publishableOnly.presentsPublishableKey(ctx)) admit(ctx, '*');
    return next();
  };
}

function isPreflight(ctx: Context): boolean {
  return ctx.req.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method') !== '';
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
  if (ctx.res.hasHeader('Vary')) ctx.vary('Origin');
  else addHeader(ctx, 'Vary', 'Origin');
  const origin = ctx.get('Origin');
  if (origin !== '' && readers?.includes(origin)) admit(ctx, origin);
  return undefined;
}

function admit(ctx: Context, origin: string): void {
  addHeader(ctx, 'Access-Control-Allow-Origin', origin);
  addHeader(ctx, 'Access-Control-Expose-Headers', EXPOSED);
}
