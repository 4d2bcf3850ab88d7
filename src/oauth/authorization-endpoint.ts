import type { Context, Middleware } from 'koa';

import { readForm } from '../http/form.js';
import type { PageError } from '../http/page-errors.js';
import type { Pages, SignedInFrame } from '../http/pages.js';
import { Problem, serviceUnavailable } from '../http/problem.js';
import { isDatabaseUnavailable } from '../db/unavailable.js';
import type { OAuthViews } from './page-data.js';
import { authorizationResponseOf, oidcOf } from './library-internals.js';

/**
 * The authorization endpoint (RFC 6749 §3.1). Anybody can register a client, so before the user has
 * signed in nothing is redirected to one, errors included: else every registered address would be an
 * open redirect with our name on it. `prompt=none` is excepted, which is not for people to see.
 */
export function createAuthorizationEndpoint({
  protocol,
  pages,
}: {
  /** The library's own answer to an authorization request. */
  protocol: Middleware;
  pages: Pages<OAuthViews>;
}): Middleware {
  return async (ctx, next) => {
    // It would do what GET does, which is not without effect for whoever has agreed before.
    if (ctx.method === 'HEAD') throw new Problem('method_not_allowed', 'Use GET.');
    assertShort(ctx.querystring);
    // The library would answer some errors as JSON; whoever follows a link here is a person.
    ctx.req.headers.accept = 'text/html';
    await protocol(ctx, next);
    const { failure } = ctx.state as { failure?: unknown };
    if (isDatabaseUnavailable(failure)) throw serviceUnavailable(failure);

    const response = authorizationResponseOf(ctx);
    if (response === undefined || hasSignedIn(ctx) || promptOf(ctx) === 'none') return;
    // Not read from the location: its query begins with the words of the client's own redirect URI.
    ctx.remove('Location');
    renderAuthorizationError(pages, ctx, {
      code: response['error'] ?? 'invalid_request',
      description: response['error_description'],
    });
  };
}

/** Whoever asks, signed in or not, makes us keep what was asked until the user has answered. */
const MAX_REQUEST = 8192;

/** @throws Problem `bad_request` for a request that is too long to be kept */
export function assertShort(query: string): void {
  if (query.length <= MAX_REQUEST) return;
  throw new Problem('bad_request', `The app’s request is longer than ${MAX_REQUEST} characters.`);
}

/**
 * A request by POST (OpenID Connect Core §3.1.2.1) becomes the same one by GET: what another site posts
 * comes without our cookies, and what it then leads to comes with them.
 */
export async function repeatByGet(ctx: Context): Promise<void> {
  const query = (await readForm(ctx)).toString();
  assertShort(query);
  ctx.redirect(`${ctx.path}?${query}`);
  ctx.status = 303;
}

const HEADING = 'This did not work';

/** Where the protocol's own words are for the app's developer only. */
const FOR_PEOPLE: ReadonlyMap<string, string> = new Map([
  ['server_error', 'Something went wrong on our side.'],
  ['invalid_client', 'This app is not known here, or no longer admitted. Connect it again.'],
]);

/** Tells the user, where the client cannot be told. */
export function renderAuthorizationError(
  pages: Pages<OAuthViews>,
  ctx: Context,
  { code, description }: { code: string; description?: string | undefined },
): void {
  const { requestId } = ctx.state as { requestId: string };
  const message =
    FOR_PEOPLE.get(code) ??
    `The app’s request cannot be answered${description === undefined ? '' : `: ${description}`}.`;
  pages.send(
    ctx,
    'error',
    { title: 'Sign-in failed', heading: HEADING, message, code, requestId },
    { status: ctx.status >= 400 ? ctx.status : 400 },
  );
}

/** What went wrong on one of our pages. */
export function renderPageError(
  pages: Pages<OAuthViews>,
  ctx: Parameters<Pages<OAuthViews>['send']>[0],
  { status, message, code, requestId }: PageError,
  signedIn?: SignedInFrame,
): void {
  // Not the problem's own title: of a page that was left open too long, "There is nothing here" is no help.
  const page = { title: HEADING, heading: HEADING, message, code, requestId };
  pages.send(ctx, 'error', page, { status, signedIn });
}

function hasSignedIn(ctx: Context): boolean {
  return oidcOf(ctx)?.session?.accountId !== undefined;
}

function promptOf(ctx: Context): unknown {
  const oidc = oidcOf(ctx);
  return (oidc?.params ?? ctx.query)?.['prompt'];
}
