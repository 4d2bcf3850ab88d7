import type { IncomingMessage } from 'node:http';
import type { Context, Middleware } from 'koa';

import {
  type ActivityRecorder,
  type Challenge,
  createChallenge,
  isHidden,
  type Judge,
  type Presentations,
  type Presented,
  type Principal,
  type Proofs,
  readProof,
  refusalOf,
  requestFactsOf,
  schemeOf,
  type Target,
  withChallenge,
} from '../credentials/index.js';
import { addHeader, type Answer, answerText } from '../http/answer-headers.js';
import type { RequestState } from '../http/context.js';
import { noteRefusal } from '../http/errors/oauth-error.js';
import { Problem } from '../http/errors/problem.js';
import { noteFacts } from '../http/request-facts.js';
import { findResource } from '../http/resource-uri.js';
import { parseUrl } from '../http/url.js';
import { invalid } from '../http/validation.js';
import { COST } from '../http/route-declaration.js';
import { createHeaderWriter, type RateLimits } from '../rate-limits/index.js';
import type { ServerAuthentication } from '../resource-servers/index.js';
import type { SpaceContextResolver } from '../spaces/index.js';
import { readForwardQuery, type ForwardQuery } from './forward-query.js';
import { denialOfSpace } from './verdicts.js';

export const FORWARD_AUTH_PATH = '/api/v1/forward-auth/';

export interface ForwardAuthDependencies {
  readonly judge: Judge;
  readonly presentations: Presentations;
  readonly proofs: Proofs;
  readonly activity: Pick<ActivityRecorder, 'noteAnswer' | 'noteRefusal'>;
  readonly servers: Pick<ServerAuthentication, 'find'>;
  readonly rateLimits: Pick<RateLimits, 'budgets' | 'spend' | 'now'>;
  readonly spaceContext: Pick<SpaceContextResolver, 'enter'>;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** A header that a trusted proxy set. */
  readonly proxyHeader: (request: IncomingMessage, name: string) => string | undefined;
  /** The header by which a request names a space. */
  readonly spaceHeader: string;
  readonly issuer: string;
  /** The resources that this server itself is. */
  readonly ownResources: readonly string[];
  readonly resourceMetadataUrl: string;
}

/** The request that a gateway asks about. */
interface Forwarded {
  readonly query: ForwardQuery;
  readonly method: string;
  readonly address: string;
  readonly challenge: Challenge;
  /** The URL for which proofs must be made: the origin of the audience, never the request's `Host`. */
  readonly url: string;
}

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Answers gateways (nginx `auth_request`, Traefik, Caddy, Envoy, HAProxy) whether a request may pass, for any method and
 * path. It judges the credential of the request itself by the rule in the query, as the guard of the API would. An
 * accepted request is answered by 200 without a body, and headers that describe the principal.
 */
export function createForwardAuth(dependencies: ForwardAuthDependencies): Middleware<RequestState> {
  const { clientAddress, proxyHeader, presentations, proofs, issuer, ownResources } = dependencies;
  const limit = createLimit(dependencies);

  function read(ctx: Context): Forwarded {
    const query = readForwardQuery(ctx.querystring);
    const isOwn =
      query.resource === undefined || findResource(ownResources, query.resource) !== undefined;
    const metadataUrl = isOwn ? dependencies.resourceMetadataUrl : undefined;
    return {
      query: isOwn ? { ...query, resource: undefined } : query,
      method: proxyHeader(ctx.req, 'x-forwarded-method') ?? ctx.method,
      address: clientAddress(ctx.req),
      challenge: createChallenge(metadataUrl, query.scopes),
      url: originOf(isOwn ? issuer : (query.resource ?? '')) + pathIn(ctx),
    };
  }

  /** The path of the request at the gateway. */
  const pathIn = (ctx: Context) =>
    (proxyHeader(ctx.req, 'x-forwarded-uri') ?? ctx.path).split('?')[0] ?? '';

  /** @throws Problem `unauthorized` without a credential, `bad_request` for several */
  function presentedIn(ctx: Context, { challenge }: Forwarded): Presented {
    const uri = proxyHeader(ctx.req, 'x-forwarded-uri') ?? '';
    const [, querystring = ''] = uri.split(/\?(.*)/s);
    const presented = presentations.find(ctx.req, querystring);
    if (presented !== undefined) return presented;
    const detail = presentations.explain(ctx.req, undefined);
    throw new Problem('unauthorized', detail, { headers: challenge() });
  }

  return async (context) => {
    const ctx = context as unknown as Context;
    context.state.route = `${FORWARD_AUTH_PATH}*`;
    context.state.isRead = true;
    const forwarded = read(ctx);
    const presented = presentedIn(ctx, forwarded);
    if (presented.by === 'dpop') ctx.set('DPoP-Nonce', proofs.nonce());
    const principal = await admit(ctx, forwarded, presented, dependencies);
    try {
      limit(ctx, forwarded, principal, presented);
      await assertSpaces(ctx, forwarded, principal, dependencies);
    } catch (error) {
      if (error instanceof Problem) dependencies.activity.noteAnswer(principal, error.status);
      throw error;
    }
    dependencies.activity.noteAnswer(principal, 200);
    describe(context, principal);
    ctx.status = 200;
    answerText(context, 'text/plain; charset=utf-8', '');
  };
}

/** @throws Problem with the answer that the guard would give */
async function admit(
  ctx: Context,
  { query, method, address, challenge, url }: Forwarded,
  presented: Presented,
  { judge, servers, presentations, proofs, activity }: ForwardAuthDependencies,
): Promise<Principal> {
  const { scopes, principals, resource } = query;
  const judgement = await judge({
    presented,
    method,
    address,
    notedAddress: address,
    access: { scopes, principals },
    parameters: undefined,
    proof: () => ({
      read: (bound) =>
        readProof(proofs, ctx.req, { method, url, credential: presented.raw }, bound, presented),
      claim: async (proof) => ((await proofs.claim(proof)) ? undefined : 'proof_used'),
    }),
    ...(resource !== undefined && { target: findTarget(servers, resource) }),
  });
  const { principal } = judgement;
  if (principal !== undefined) noteFacts(ctx, requestFactsOf(principal));
  if (judgement.reason === undefined) return judgement.principal;
  const refusal = refusalOf(judgement.reason, {
    principal,
    challenge,
    scheme: schemeOf(presented, principal),
    headers: {},
    scopes,
    isHidden: isHidden(presented, judgement),
    explainForm: () => presentations.explain(ctx.req, presented),
  });
  noteRefusal(ctx, refusal.code, judgement.reason);
  if (principal !== undefined) activity.noteAnswer(principal, refusal.status);
  throw refusal;
}

/** The origin of an identifier; empty for one that has none, such as a URN. */
function originOf(identifier: string): string {
  const origin = parseUrl(identifier)?.origin ?? 'null';
  return origin === 'null' ? '' : origin;
}

/** @throws Problem `validation_failed` for an unknown resource */
async function findTarget(
  servers: ForwardAuthDependencies['servers'],
  resource: string,
): Promise<Target> {
  const server = await servers.find(resource);
  if (server !== undefined) return server;
  const message = 'is not a registered resource';
  throw invalid([{ field: 'resource', code: 'invalid_format', message }]);
}

/** Makes the function that counts a request on the budgets of its principal, or throws a Problem `rate_limited`. */
function createLimit({ rateLimits, clientAddress }: ForwardAuthDependencies) {
  const { budgets, spend, now } = rateLimits;
  const writeHeaders = createHeaderWriter();
  return (
    ctx: Context,
    { method, query, challenge }: Forwarded,
    principal: Principal,
    presented: Presented,
  ) => {
    const time = now();
    const shares = budgets.sharesOf(principal, () => clientAddress(ctx.req), time);
    const spent = spend(shares, READING.has(method) ? COST.read : COST.change, time);
    for (const share of shares) writeHeaders(ctx as Answer, share, time);
    if (spent === undefined) return;
    noteRefusal(ctx, 'rate_limited', `budget: ${spent.budget}`);
    const { code, message, headers } = spent.problem;
    // Every 403 has a challenge, also this one.
    const challenged =
      query.limitStatus === 403
        ? challenge('insufficient_scope', schemeOf(presented, principal))
        : {};
    const answered = { ...headers, ...challenged };
    throw new Problem(code, message, { headers: answered, status: query.limitStatus });
  };
}

/** @throws Problem `forbidden` if the principal may not enter a space that the gateway or the request names */
async function assertSpaces(
  ctx: Context,
  { query, address, challenge }: Forwarded,
  principal: Principal,
  { spaceContext, spaceHeader, activity }: ForwardAuthDependencies,
): Promise<void> {
  const sent = ctx.get(spaceHeader);
  for (const space of new Set([query.space, sent === '' ? undefined : sent])) {
    const denial = await denialOfSpace(spaceContext, principal, space);
    if (denial === undefined) continue;
    activity.noteRefusal(principal, denial.code, address);
    throw withChallenge(denial, challenge);
  }
}

/**
 * Describes a principal to the service behind the gateway. Every header is always sent, empty without a value, so that a
 * client cannot add one that a gateway would pass on.
 */
function describe(answer: Answer, principal: Principal): void {
  const { token, principalKind, principalId, spaces } = principal;
  addHeader(answer, 'X-Auth-Tenant', principal.tenantId);
  addHeader(answer, 'X-Auth-Principal', principalId);
  addHeader(answer, 'X-Auth-Principal-Kind', principalKind);
  addHeader(answer, 'X-Auth-Credential', principal.credentialId);
  addHeader(answer, 'X-Auth-Client', token?.clientId ?? principal.exchanged?.keyId ?? '');
  addHeader(answer, 'X-Auth-User', principalKind === 'user' ? principalId : '');
  addHeader(answer, 'X-Auth-Role', token?.role ?? '');
  addHeader(answer, 'X-Auth-Scopes', principal.scopes.join(' '));
  // `*` for all: an empty list would mean none.
  addHeader(answer, 'X-Auth-Spaces', spaces === null ? '*' : spaces.join(' '));
  addHeader(answer, 'X-Auth-Environment', principal.environment);
  addHeader(answer, 'X-Auth-External-Id', principal.annotations.tenant.externalId ?? '');
}
