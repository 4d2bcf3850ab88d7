import type { Context, Middleware } from 'koa';
import { errors } from 'oidc-provider';

import { readForm } from '../http/form.js';
import type { PageError } from '../http/page-errors.js';
import type { Pages, SignedInFrame } from '../http/pages.js';
import { Problem, serviceUnavailable } from '../http/problem.js';
import { noteFacts } from '../http/request-facts.js';
import { answerOtherMethod } from '../http/routes.js';
import { isDatabaseUnavailable } from '../db/unavailable.js';
import { describeError, headingOf } from './authorization-error-words.js';
import { MAX_REQUEST, normalizeRequest } from './authorization-request.js';
import type { OAuthViews } from './page-data.js';
import { authorizationResponseOf, handleByPath, oidcOf } from './library-internals.js';

/**
 * The authorization endpoint (RFC 6749 §3.1). Anybody can register a client, so before the user has
 * signed in nothing is redirected to one, errors included: else every registered address would be an
 * open redirect with our name on it. `prompt=none` is excepted, which is not for people to see.
 */
export function createAuthorizationEndpoint({
  resources,
  protocol,
  pages,
  handles,
}: {
  /** The resources that tokens can be for (RFC 8707). */
  resources: readonly string[];
  /** The library's own answer to an authorization request. */
  protocol: Middleware;
  pages: Pages<OAuthViews>;
  /** The cookies by which the library would find what it resumes. */
  handles: Parameters<typeof handleByPath>[1];
}): Middleware {
  return async (ctx, next) => {
    // It would do what GET does, which is not without effect for whoever has agreed before.
    if (ctx.method === 'HEAD') return answerOtherMethod(ctx, ['GET', 'POST']);
    if (ctx.querystring.length > MAX_REQUEST) return renderTooLong(pages, ctx);
    const query = normalizeRequest(ctx.query, resources);
    Object.defineProperty(ctx, 'query', { value: query });
    // The library would answer some errors as JSON; whoever follows a link here is a person.
    ctx.req.headers.accept = 'text/html';
    handleByPath(ctx, handles, (ctx as { params?: Record<string, string> }).params?.['uid']);
    await protocol(ctx, next);
    noteAuthorization(ctx);
    const { failure, authorizationError } = ctx.state as AuthorizationState;
    if (isDatabaseUnavailable(failure)) throw serviceUnavailable(failure);

    assertNoForeignPage(ctx);
    const response = authorizationResponseOf(ctx);
    if (response === undefined || hasSignedIn(ctx) || promptOf(ctx) === 'none') return;
    // Not read from the location: its query begins with the words of the client's own redirect URI.
    ctx.remove('Location');
    renderAuthorizationError(pages, ctx, authorizationError ?? failure);
  };
}

/** Notes the client, the account and the grant, as far as the library came to know them. */
function noteAuthorization(ctx: Context): void {
  const { client, session, entities } = oidcOf(ctx) ?? {};
  noteFacts(ctx, {
    clientId: client?.clientId,
    accountId: session?.accountId,
    grantId: entities?.Grant?.jti,
  });
}

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
  redirectToQuery(ctx, query);
}

/** The same for an authorization request, whose errors have the protocol's codes. */
export async function repeatAuthorizationByGet(
  pages: Pages<OAuthViews>,
  ctx: Context,
): Promise<void> {
  const query = (await readForm(ctx)).toString();
  if (query.length > MAX_REQUEST) renderTooLong(pages, ctx);
  else redirectToQuery(ctx, query);
}

function redirectToQuery(ctx: Context, query: string): void {
  ctx.redirect(`${ctx.path}?${query}`);
  ctx.status = 303;
}

/** What the library reported while it answered: an error that is meant for the client, or a failure of ours. */
interface AuthorizationState {
  readonly failure?: unknown;
  readonly authorizationError?: Error;
}

function renderTooLong(pages: Pages<OAuthViews>, ctx: Context): void {
  const error = new errors.InvalidRequest(`the request is longer than ${MAX_REQUEST} characters`);
  renderAuthorizationError(pages, ctx, error);
}

/**
 * Tells the user, where the client cannot be told.
 * @param error the library's; a failure of ours has no words for anybody
 */
export function renderAuthorizationError(
  pages: Pages<OAuthViews>,
  ctx: Context,
  error: unknown,
): void {
  const { requestId } = ctx.state as { requestId: string };
  const { status, code, heading, message, scopes } = describeError(error);
  pages.send(
    ctx,
    'error',
    { title: 'Sign-in failed', heading, message, code, scopes, requestId },
    { status },
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
  const heading = headingOf(code);
  const page = { title: heading, heading, message, code, requestId };
  pages.send(ctx, 'error', page, { status, signedIn });
}

/**
 * The library has pages of its own, with scripts in them and without a policy. None is ever sent.
 * @throws Error for an answer that is neither a redirect nor a page of ours
 */
function assertNoForeignPage(ctx: Context): void {
  const isSet = (header: string) => ctx.res.hasHeader(header);
  if (ctx.body === undefined || isSet('Location') || isSet('Content-Security-Policy')) return;
  throw new Error('the library answered with a page of its own');
}

function hasSignedIn(ctx: Context): boolean {
  return oidcOf(ctx)?.session?.accountId !== undefined;
}

function promptOf(ctx: Context): unknown {
  const oidc = oidcOf(ctx);
  return (oidc?.params ?? ctx.query)?.['prompt'];
}
