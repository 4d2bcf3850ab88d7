import type { Context, Middleware } from 'koa';
import compose from 'koa-compose';

import type { RequestState } from '../context.js';
import { answerPageErrors } from '../errors/page-errors.js';
import { Problem } from '../errors/problem.js';
import { parseUrl } from '../url.js';

interface Dependencies {
  /** The origin that all pages belong to. */
  readonly issuer: string;
  /** Errors below this path are answered as problems. */
  readonly apiPrefix: string;
  /** Prefixes of the paths that answer with pages. */
  readonly pages: readonly string[];
  /** The page that `/` leads to. */
  readonly home: string;
  /** Headers that carry credentials. */
  readonly credentialHeaders: readonly string[];
  readonly renderError: Parameters<typeof answerPageErrors>[0];
}

/** Matches host names of the machine itself, as `URL` writes them. */
const LOOPBACK =
  /^(?:(?:[^.]+\.)*localhost\.?|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[::ffff:7f\w\w:\w+\])$/;

/**
 * Serves requests for HTML, as browsers send them. Other requests are passed on unchanged.
 *
 * - `/` redirects to the home page.
 * - Errors are pages everywhere outside of the API.
 * - With a loopback issuer, pages requested by another loopback name are redirected to the issuer, because cookies
 *   and forms work at one origin only.
 */
export function createBrowserSupport(dependencies: Dependencies): Middleware<RequestState> {
  const { apiPrefix, home, renderError } = dependencies;
  const toIssuer = createLoopbackRedirect(dependencies);
  const withPageErrors: Middleware<RequestState> = compose([
    answerPageErrors(renderError),
    async (ctx, next) => {
      if (ctx.path === '/' && isReading(ctx)) return ctx.redirect(home);
      await next();
      if (ctx.status === 404 && ctx.body === undefined) {
        throw new Problem('not_found', 'No page has this address.');
      }
    },
  ]);
  return (ctx, next) => {
    // perf: most requests are API calls, for which only this is checked.
    if (ctx.req.headers.accept?.includes('html') !== true || !asksForPage(ctx)) return next();
    const target = toIssuer(ctx);
    if (target !== undefined) {
      ctx.status = 308;
      ctx.redirect(target);
      return undefined;
    }
    return isAt(ctx.path, apiPrefix) ? next() : withPageErrors(ctx, next);
  };
}

function asksForPage(ctx: Context): boolean {
  return ctx.accepts('json', 'html') === 'html';
}

function isReading({ method }: Pick<Context, 'method'>): boolean {
  return method === 'GET' || method === 'HEAD';
}

function isAt(path: string, beginning: string): boolean {
  return path === beginning || path.startsWith(`${beginning}/`);
}

/** @returns finds the issuer's URL of a page, if the request is for the page at another loopback name */
function createLoopbackRedirect({
  issuer,
  pages,
  credentialHeaders,
}: Dependencies): (ctx: Context) => string | undefined {
  const { protocol, hostname, host, port } = new URL(issuer);
  if (!LOOPBACK.test(hostname)) return () => undefined;
  return (ctx) => {
    if (!isReading(ctx)) return undefined;
    if (ctx.path !== '/' && !pages.some((page) => isAt(ctx.path, page))) return undefined;
    const asked = parseUrl(`${protocol}//${ctx.req.headers.host ?? ''}`);
    if (asked === undefined || asked.host === host) return undefined;
    // Another port may be a tunnel, in which case the issuer's port may belong to another program.
    if (asked.port !== port || !LOOPBACK.test(asked.hostname)) return undefined;
    const hasCredential =
      credentialHeaders.some((name) => ctx.get(name) !== '') || 'auth_token' in ctx.query;
    if (hasCredential) return undefined;
    const target = new URL(issuer);
    target.pathname = ctx.path;
    target.search = ctx.search;
    return target.href;
  };
}
