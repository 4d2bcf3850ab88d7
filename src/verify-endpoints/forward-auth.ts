import type { IncomingMessage } from 'node:http';
import type { Context, Middleware } from 'koa';

import {
  type ActivityRecorder,
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
import { invalid } from '../http/validation.js';
import { COST } from '../http/route-declaration.js';
import { type RateLimits, writeHeaders } from '../rate-limits/index.js';
import type { ServerAuthentication } from '../resource-servers/index.js';
import type { SpaceContextResolver } from '../spaces/index.js';
import { createRuleReader, type ForwardRule } from './forward-rule.js';
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
  readonly rule: ForwardRule;
  readonly method: string;
  readonly address: string;
}

/** A type of resources that no binding can have: a gateway cannot say which resource a request is for. */
const UNNAMED = '';
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Answers gateways (nginx `auth_request`, Traefik, Caddy, Envoy, HAProxy) whether a request may pass, for any method and
 * path. It judges the credential of the request itself by the rule in the query, as the guard of the API would. An
 * accepted request is answered by 200 without a body, and headers that describe the principal.
 */
export function createForwardAuth(dependencies: ForwardAuthDependencies): Middleware<RequestState> {
  const { clientAddress, proxyHeader, presentations, proofs } = dependencies;
  const readRule = createRuleReader(dependencies);
  const limit = createLimit(dependencies);

  function read(ctx: Context): Forwarded {
    return {
      rule: readRule(ctx.querystring),
      method: proxyHeader(ctx.req, 'x-forwarded-method') ?? ctx.method,
      address: clientAddress(ctx.req),
    };
  }

  /** @throws Problem `unauthorized` without a credential, `bad_request` for several */
  function presentedIn(ctx: Context, { challenge }: ForwardRule): Presented {
    const uri = proxyHeader(ctx.req, 'x-forwarded-uri') ?? '';
    const start = uri.indexOf('?');
    const presented = presentations.find(ctx.req, start < 0 ? '' : uri.slice(start + 1));
    if (presented !== undefined) return presented;
    const detail = presentations.explain(ctx.req, undefined);
    throw new Problem('unauthorized', detail, { headers: challenge() });
  }

  return async (context) => {
    const ctx = context as unknown as Context;
    context.state.route = `${FORWARD_AUTH_PATH}*`;
    context.state.isRead = true;
    const forwarded = read(ctx);
    const presented = presentedIn(ctx, forwarded.rule);
    if (presented.by === 'dpop') ctx.set('DPoP-Nonce', proofs.nonce());
    const principal = await admit(ctx, forwarded, presented, dependencies);
    try {
      limit(ctx, forwarded, principal, presented);
      const spaces = spacesIn(ctx, forwarded, dependencies);
      if (spaces.length > 0) await assertSpaces(spaces, forwarded, principal, dependencies);
    } catch (error) {
      if (error instanceof Problem) dependencies.activity.noteAnswer(principal, error.status);
      throw error;
    }
    dependencies.activity.noteAnswer(principal, 200);
    describe(context, principal);
    answerText(context, 'text/plain; charset=utf-8', '');
  };
}

/** @throws Problem with the answer that the guard would give */
async function admit(
  ctx: Context,
  { rule, method, address }: Forwarded,
  presented: Presented,
  dependencies: ForwardAuthDependencies,
): Promise<Principal> {
  const { judge, servers, presentations, proofs, activity } = dependencies;
  const { access, resource, challenge } = rule;
  const { scopes } = access;
  const judgement = await judge({
    presented,
    method,
    address,
    notedAddress: address,
    access: { ...access, resource: UNNAMED },
    parameters: undefined,
    proof() {
      const url = rule.origin + pathIn(ctx, dependencies);
      const proven = { method, url, credential: presented.raw };
      return {
        read: (bound) => readProof(proofs, ctx.req, proven, bound, presented),
        claim: async (proof) => ((await proofs.claim(proof)) ? undefined : 'proof_used'),
      };
    },
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

/** The path of the request at the gateway. */
function pathIn(ctx: Context, { proxyHeader }: Pick<ForwardAuthDependencies, 'proxyHeader'>) {
  return (proxyHeader(ctx.req, 'x-forwarded-uri') ?? ctx.path).split('?')[0] ?? '';
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
  return (
    ctx: Context,
    { method, rule }: Forwarded,
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
      rule.limitStatus === 403
        ? rule.challenge('insufficient_scope', schemeOf(presented, principal))
        : {};
    const answered = { ...headers, ...challenged };
    throw new Problem(code, message, { headers: answered, status: rule.limitStatus });
  };
}

/** The spaces that the gateway and the request name. */
function spacesIn(
  ctx: Context,
  { rule: { space } }: Forwarded,
  { spaceHeader }: Pick<ForwardAuthDependencies, 'spaceHeader'>,
): readonly string[] {
  const sent = ctx.get(spaceHeader);
  if (sent === '' || sent === space) return space === undefined ? [] : [space];
  return space === undefined ? [sent] : [space, sent];
}

/** @throws Problem `forbidden` if the principal may not enter one of the spaces */
async function assertSpaces(
  spaces: readonly string[],
  { rule: { challenge }, address }: Forwarded,
  principal: Principal,
  { spaceContext, activity }: ForwardAuthDependencies,
): Promise<void> {
  for (const space of spaces) {
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
