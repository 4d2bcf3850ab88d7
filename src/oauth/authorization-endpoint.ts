import type { Context, Middleware } from 'koa';

import { readForm } from '../http/form.js';
import type { PageError } from '../http/page-errors.js';
import type { Pages } from '../http/pages.js';
import { serviceUnavailable } from '../http/problem.js';
import { isDatabaseUnavailable } from '../db/unavailable.js';
import type { OAuthViews } from './page-data.js';
import { oidcOf } from './token-endpoint.js';

/**
 * The authorization endpoint (RFC 6749 §3.1). Anybody can register a client, so before the user has
 * signed in nothing is redirected to one, errors included: else every registered address would be an
 * open redirect with our name on it. `prompt=none` is excepted, which is not for people to see.
 */
export function createAuthorizationEndpoint({
  issuer,
  protocol,
  pages,
}: {
  issuer: string;
  /** The library's own answer to an authorization request. */
  protocol: Middleware;
  pages: Pages<OAuthViews>;
}): Middleware {
  return async (ctx, next) => {
    // The library would answer some errors as JSON; whoever follows a link here is a person.
    ctx.req.headers.accept = 'text/html';
    await protocol(ctx, next);
    const { failure } = ctx.state as { failure?: unknown };
    if (isDatabaseUnavailable(failure)) throw serviceUnavailable(failure);

    // Koa's types say otherwise, but what was not set is undefined.
    const location = (ctx.response.get('Location') as string | undefined) ?? '';
    const isOurs = location === '' || location.startsWith('/') || location.startsWith(`${issuer}/`);
    if (isOurs || hasSignedIn(ctx) || promptOf(ctx) === 'none') return;
    const { searchParams } = new URL(location);
    ctx.remove('Location');
    renderAuthorizationError(pages, ctx, {
      code: searchParams.get('error') ?? 'invalid_request',
      description: searchParams.get('error_description') ?? undefined,
    });
  };
}

/**
 * A request by POST (OpenID Connect Core §3.1.2.1) becomes the same one by GET: what another site posts
 * comes without our cookies, and what it then leads to comes with them.
 */
export async function repeatByGet(ctx: Context): Promise<void> {
  const form = await readForm(ctx);
  ctx.redirect(`${ctx.path}?${form.toString()}`);
  ctx.status = 303;
}

/** Tells the user, where the client cannot be told. */
export function renderAuthorizationError(
  pages: Pages<OAuthViews>,
  ctx: Context,
  { code, description }: { code: string; description?: string | undefined },
): void {
  const { requestId } = ctx.state as { requestId: string };
  const isOurs = code === 'server_error';
  const message = isOurs
    ? 'Something went wrong on our side.'
    : `The app’s request cannot be answered${description === undefined ? '' : `: ${description}`}.`;
  pages.send(
    ctx,
    'error',
    { title: 'Sign-in failed', heading: 'This did not work', message, code, requestId },
    { status: ctx.status >= 400 ? ctx.status : 400 },
  );
}

/** What went wrong on one of our pages. */
export function renderPageError(
  pages: Pages<OAuthViews>,
  ctx: Parameters<Pages<OAuthViews>['send']>[0],
  { status, title, message, code, requestId }: PageError,
): void {
  pages.send(ctx, 'error', { title, heading: title, message, code, requestId }, { status });
}

function hasSignedIn(ctx: Context): boolean {
  return oidcOf(ctx)?.session?.accountId !== undefined;
}

function promptOf(ctx: Context): unknown {
  const oidc = oidcOf(ctx);
  return (oidc?.params ?? ctx.query)?.['prompt'];
}
