import type { Context, Middleware } from 'koa';
import { errors } from 'oidc-provider';

import type { Client, DocumentFault } from '../../clients/index.js';
import { readForm } from '../../http/body/form.js';
import { noteRefusal } from '../../http/errors/oauth-error.js';
import type { PageError } from '../../http/errors/page-errors.js';
import type { SignedInFrame } from '../../http/pages/frame.js';
import type { Pages } from '../../http/pages/pages.js';
import { Problem, serviceUnavailable } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import { isDatabaseUnavailable } from '../../db/unavailable.js';
import type { Resources } from '../../resource-servers/index.js';
import { isPushedUri, type PushedRequests } from '../par/pushed-requests.js';
import { describeError, NoDocument, UnknownPushedRequest } from './authorization-error-words.js';
import { MAX_REQUEST, normalizeRequest } from './authorization-request.js';
import { TooManyRequests } from './authorization.js';
import { textOf } from '../parameters.js';
import { linksFor, wordsForPageError } from './page-error-words.js';
import type { OAuthViews } from './views.js';
import { noteWayBack, wayBackOf, wayBackTo } from './way-back.js';
import { authorizationResponseOf, handleByPath, oidcOf } from '../library/library-internals.js';

/**
 * The authorization endpoint (RFC 6749 §3.1). Anyone can register a client. Before the user has signed in, nothing is
 * redirected to a client, errors included: otherwise every registered URI would be an open redirect on this origin
 * (RFC 9700 §4.11.2). `prompt=none` is the exception, because its response is never shown to a user.
 */
export function createAuthorizationEndpoint({
  resources,
  protocol,
  pages,
  handles,
  prepareClient,
  findClient,
  pushed,
}: {
  /** The resources that tokens can be for (RFC 8707). */
  resources: Resources;
  /** oidc-provider's response to an authorization request. */
  protocol: Middleware;
  pages: Pages<OAuthViews>;
  /** The cookies by which oidc-provider would find the request to resume. */
  handles: Parameters<typeof handleByPath>[1];
  /** Fetches the metadata document that a client id names, if it names one. */
  prepareClient: (ctx: Context, clientId: string) => Promise<DocumentFault | undefined>;
  findClient: (id: string) => Promise<Client | undefined>;
  pushed: PushedRequests;
}): Middleware {
  return async (ctx, next) => {
    if (ctx.querystring.length > MAX_REQUEST) return renderTooLong(pages, ctx);
    const uid = (ctx as { params?: Record<string, string> }).params?.['uid'];
    const sent = uid === undefined ? await readSent(ctx, pushed) : ctx.query;
    if (sent === undefined) return renderAuthorizationError(pages, ctx, new UnknownPushedRequest());
    const query = normalizeRequest(
      sent,
      await resources.servedAmong([sent['resource'] ?? []].flat()),
    );
    Object.defineProperty(ctx, 'query', { value: query });
    // oidc-provider would render some errors as JSON. Requests here come from people.
    ctx.req.headers.accept = 'text/html';
    // A request that is resumed uses the copy with which it began.
    const fault = uid === undefined && (await prepareClient(ctx, textOf(query, 'client_id')));
    if (fault) return renderDocumentFault(pages, ctx, fault);
    handleByPath(ctx, handles, uid);
    await protocol(ctx, next);
    noteAuthorization(ctx);
    const { failure, authorizationError } = ctx.state as AuthorizationState;
    if (isDatabaseUnavailable(failure)) throw serviceUnavailable(failure);

    assertNoLibraryPage(ctx);
    const response = authorizationResponseOf(ctx);
    if (response === undefined || hasSignedIn(ctx) || promptOf(ctx) === 'none') return;
    const { clientId = '' } = oidcOf(ctx)?.client ?? {};
    const redirectUri = textOf(query, 'redirect_uri');
    noteWayBack(ctx, wayBackTo(await findClient(clientId), redirectUri, response));
    // The error is not read from the location, whose query can begin with the client's own parameters.
    ctx.remove('Location');
    renderAuthorizationError(pages, ctx, authorizationError ?? failure);
  };
}

/**
 * The parameters of a request, or of the pushed request that it refers to (RFC 9126 §4). Parameters beside the reference
 * are ignored.
 *
 * @returns `undefined` for a reference that cannot be used
 */
async function readSent(
  ctx: Context,
  pushed: PushedRequests,
): Promise<Context['query'] | undefined> {
  const requestUri = ctx.query['request_uri'];
  if (!isPushedUri(requestUri)) return ctx.query;
  (ctx.state as { isPushed?: boolean }).isPushed = true;
  return pushed.take(requestUri, textOf(ctx.query, 'client_id'));
}

/** Notes the client, the account and the grant, as far as oidc-provider found them. */
function noteAuthorization(ctx: Context): void {
  const { client, session, entities } = oidcOf(ctx) ?? {};
  noteFacts(ctx, {
    clientId: client?.clientId,
    accountId: session?.accountId,
    grantId: entities?.Grant?.jti,
  });
}

/** @throws Problem `bad_request` for a request that is too long to be stored */
export function assertShort(query: string): void {
  if (query.length <= MAX_REQUEST) return;
  throw new Problem('bad_request', `The app’s request is longer than ${MAX_REQUEST} characters.`);
}

/**
 * Redirects a POST request (OpenID Connect Core §3.1.2.1) to the same request by GET. Browsers send `SameSite=Lax`
 * cookies with that GET, but not with a cross-site POST.
 */
export async function repeatByGet(ctx: Context): Promise<void> {
  const query = (await readForm(ctx)).toString();
  assertShort(query);
  redirectToQuery(ctx, query);
}

/** As `repeatByGet`, for an authorization request, whose errors have OAuth's codes. */
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

/** Errors that oidc-provider reported: one for the client, or an internal failure. */
interface AuthorizationState {
  readonly failure?: unknown;
  readonly authorizationError?: Error;
}

function renderTooLong(pages: Pages<OAuthViews>, ctx: Context): void {
  const error = new errors.InvalidRequest(`the request is longer than ${MAX_REQUEST} characters`);
  renderAuthorizationError(pages, ctx, error);
}

function renderDocumentFault(pages: Pages<OAuthViews>, ctx: Context, fault: DocumentFault): void {
  const isThrottled = fault.fault === 'throttled';
  if (isThrottled) ctx.set('Retry-After', String(fault.retryAfterSeconds));
  const reason = isThrottled ? 'too many documents are fetched' : fault.reason;
  noteRefusal(ctx, 'invalid_client', `client document: ${reason}`);
  renderAuthorizationError(pages, ctx, isThrottled ? new TooManyRequests() : new NoDocument());
}

/**
 * Shows an error that cannot be sent to the client.
 * @param error of oidc-provider; any other error is shown as an internal failure
 */
export function renderAuthorizationError(
  pages: Pages<OAuthViews>,
  ctx: Context,
  error: unknown,
): void {
  const { requestId, isPushed } = ctx.state as { requestId: string; isPushed?: boolean };
  const { status, code, heading, message, scopes } = describeError(error);
  // A pushed request can be used once.
  const isRepeatable = ctx.method === 'GET' && isPushed !== true;
  const path = isRepeatable ? ctx.originalUrl : undefined;
  pages.send(
    ctx,
    'error',
    {
      title: 'Sign-in failed',
      heading,
      message,
      back: wayBackOf(ctx),
      links: linksFor({ code, status }, { path, isSignedIn: hasSignedIn(ctx) }),
      code,
      scopes,
      requestId,
    },
    { status },
  );
}

/** Shows an error of a page. */
export function renderPageError(
  pages: Pages<OAuthViews>,
  ctx: Parameters<Pages<OAuthViews>['send']>[0],
  { status, message, code, requestId }: PageError,
  signedIn?: SignedInFrame,
): void {
  const { method, originalUrl } = ctx as {
    readonly method?: string;
    readonly originalUrl?: string;
  };
  const { heading, next, links } = wordsForPageError(
    { code, status, message },
    { path: method === 'GET' ? originalUrl : undefined, isSignedIn: signedIn !== undefined },
  );
  // Nothing is said twice: the heading by the message, or what to do next.
  const isRepeated = message.startsWith(`${heading}.`) && next !== undefined;
  const isComplete = isRepeated || message.includes('Try again');
  const words = { message: isRepeated ? next : message, next: isComplete ? undefined : next };
  const page = { title: heading, heading, ...words, back: wayBackOf(ctx), links, code, requestId };
  pages.send(ctx, 'error', page, { status, signedIn });
}

/**
 * oidc-provider has pages with scripts and without a Content-Security-Policy. They are never sent.
 * @throws Error for a response that is neither a redirect nor a page of this server
 */
function assertNoLibraryPage(ctx: Context): void {
  const isSet = (header: string) => ctx.res.hasHeader(header);
  if (ctx.body === undefined || isSet('Location') || isSet('Content-Security-Policy')) return;
  throw new Error('oidc-provider answered with a page of its own');
}

function hasSignedIn(ctx: Context): boolean {
  return oidcOf(ctx)?.session?.accountId !== undefined;
}

function promptOf(ctx: Context): unknown {
  const oidc = oidcOf(ctx);
  return (oidc?.params ?? ctx.query)?.['prompt'];
}
