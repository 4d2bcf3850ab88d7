import type { Middleware } from 'koa';

/** Who may read answers across origins, by path. */
export interface CorsRules {
  /** Exact paths whose answers any origin may read. */
  readonly open: ReadonlySet<string>;
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
 */
export function createCors({ open, listed }: CorsRules): Middleware {
  const allowedHeaders = REQUEST_HEADERS.join(', ');
  const allowedHeadersListed = [...REQUEST_HEADERS, ...listed.headers].join(', ');

  return (ctx, next) => {
    const isOpen = open.has(ctx.path);
    const isListedPath = !isOpen && ctx.path.startsWith(listed.prefix) && listed.origins.size > 0;
    if (!isOpen && !isListedPath) return next();

    if (isListedPath) ctx.vary('Origin');
    const origin = ctx.get('Origin');
    if (!isOpen && !listed.origins.has(origin)) return next();
    ctx.set('Access-Control-Allow-Origin', isOpen ? '*' : origin);

    const isPreflight = ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method') !== '';
    if (!isPreflight) {
      ctx.set('Access-Control-Expose-Headers', EXPOSED);
      return next();
    }
    ctx.set({
      'Access-Control-Allow-Methods': isOpen ? 'GET, HEAD' : METHODS,
      'Access-Control-Allow-Headers': isOpen ? allowedHeaders : allowedHeadersListed,
      'Access-Control-Max-Age': MAX_AGE_SECONDS,
    });
    ctx.status = 204;
    return undefined;
  };
}
