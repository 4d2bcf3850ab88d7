import type { IncomingMessage } from 'node:http';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Registry } from 'prom-client';

import type { RequestState } from '../../http/context.js';
import { noteRefusal } from '../../http/errors/oauth-error.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import { findResource } from '../../http/resource-uri.js';
import type { Scope } from '../../scopes/catalog.js';
import type { ActivityRecorder } from '../store/activity.js';
import { denialReason, type Access } from './admission.js';
import {
  createChallenge,
  isOpenDenial,
  withChallenge,
  schemeOf,
  type Challenge,
} from './challenge.js';
import { KINDS } from '../kinds.js';
import type { Member } from './session-guard.js';
import { withPublishableKey, reasonAgainstPair } from './key-beside-token.js';
import type { Presentations, Presented } from '../verification/presentation.js';
import { requestFactsOf, type Principal } from '../principal.js';
import type { ProofCheck } from './proof-check.js';
import { refusalOf, type Reason } from './refusals.js';
import { createVerdictCounter } from './verdict-counter.js';
import type { Verdict, Verifier } from '../verification/verifier.js';

/** The state of a request behind the guard. A public route has no principal. */
export interface GuardedState extends RequestState {
  principal: Principal;
  /** The member whose browser session calls, on routes that admit sessions. */
  member?: Member;
  /** A credential that the endpoint read itself, such as Basic authentication at introspection. */
  presented?: Presented;
}

interface Dependencies {
  readonly verifier: Verifier;
  readonly presentations: Presentations;
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly activity: ActivityRecorder;
  readonly proofCheck: ProofCheck;
  readonly register: Registry;
  /** The address of the protected resource metadata (RFC 9728 §5.1). */
  readonly resourceMetadataUrl: string;
  /** The resources served here. Tokens for another audience are refused (RFC 8707 §2.2). */
  readonly audiences: readonly string[];
}

type GuardedContext = ParameterizedContext<GuardedState>;

interface Judged {
  readonly verdict: Verdict;
  readonly reason: Reason | undefined;
}

interface RefusedRequest {
  readonly presented: Presented;
  readonly principal: Principal | undefined;
  readonly reason: Reason;
  readonly address: string;
}

/**
 * Makes the guard: middleware that admits a request to a route or refuses it with a Problem.
 *
 * A route without an access rule admits nobody. The order follows RFC 6750 §3.1: the credential (401), the
 * kind of principal (403), the scopes (403).
 */
export function createGuard({
  verifier,
  presentations,
  clientAddress,
  activity,
  proofCheck,
  register,
  resourceMetadataUrl,
  audiences,
}: Dependencies): (access: Access | undefined) => Middleware<GuardedState> {
  const countVerdict = createVerdictCounter(register);

  /** The reason to refuse a credential at any route. */
  const reasonOf = (verdict: Verdict, presented: Presented, method: string) =>
    reasonAgainst(verdict, presented, method) ?? reasonOfAudience(verdict, audiences);

  /** Verifies a publishable key and a token by one query. The answer describes the first that is refused. */
  async function judgePair(
    presented: Presented,
    publishableKey: string,
    address: string,
    method: string,
  ): Promise<Judged> {
    const pair = [{ raw: publishableKey, by: 'x-api-key' } as const, presented];
    const verdicts = await Promise.all(pair.map(({ raw }) => verifier.verify(raw, address)));
    const [ofKey, ofUser] = verdicts.map((verdict, index) => ({
      verdict,
      reason: reasonOf(verdict, pair[index] ?? presented, method),
    }));
    const refused = [ofKey, ofUser].find((judged) => judged?.reason !== undefined);
    if (refused !== undefined) return refused;
    const [key, user] = [ofKey?.verdict.principal, ofUser?.verdict.principal];
    if (key === undefined || user?.principalKind !== 'user') {
      throw new Problem('bad_request', 'Present one credential, in one way.');
    }
    activity.noteUse(key.credentialId, address);
    const principal = withPublishableKey(user, key);
    const reason = reasonAgainstPair(user, key);
    return { verdict: { outcome: 'accepted', principal }, reason };
  }

  /** Judges what was presented, apart from the route. */
  async function judge(presented: Presented, address: string, method: string): Promise<Judged> {
    if (presented.publishableKey !== undefined) {
      return judgePair(presented, presented.publishableKey, address, method);
    }
    const verdict = await verifier.verify(presented.raw, address);
    return { verdict, reason: reasonOf(verdict, presented, method) };
  }

  /** The reason why a valid credential is not admitted. A proof is marked as used only if nothing else is wrong. */
  async function reasonAtRoute(
    ctx: GuardedContext,
    presented: Presented,
    principal: Principal,
    access: Exclude<Access, 'public'> | undefined,
  ): Promise<Reason | undefined> {
    if (principal.proofKey === null) return denialReason(principal, access, ctx.params);
    const proof = await proofCheck.read(ctx, principal, presented);
    if (typeof proof === 'string') return proof;
    const denial = denialReason(principal, access, ctx.params);
    return denial ?? (proof && (await proofCheck.claim(ctx, proof, presented)));
  }

  /** Records and makes the answer to a refused credential. */
  function refuse(
    ctx: GuardedContext,
    { presented, principal, reason, address }: RefusedRequest,
    challenge: Challenge,
    scopes: readonly Scope[],
  ): Problem {
    if (principal !== undefined && !isOrdinaryEnd(principal, reason)) {
      activity.noteRefusal(principal, reason, address);
    }
    const refusal = refusalOf(reason, {
      principal,
      challenge,
      scheme: schemeOf(presented, principal),
      headers: presented.by === 'dpop' ? { 'DPoP-Nonce': proofCheck.nonce() } : {},
      scopes,
      // The answer must not reveal anything about a secret that was sent in a URL.
      isHidden: presented.by === 'query' && !mayBeInUrl(principal),
      explainForm: () => presentations.explain(ctx.req, presented),
    });
    noteRefusal(ctx, refusal.code, reason);
    return refusal;
  }

  return (access) => {
    if (access === 'public') return (_ctx, next) => next();
    const scopes = access?.scopes ?? [];
    const challenge = createChallenge(resourceMetadataUrl, scopes);

    return async (ctx, next) => {
      const presented = ctx.state.presented ?? presentations.find(ctx.req, ctx.querystring);
      if (presented === undefined) {
        const detail = presentations.explain(ctx.req, undefined);
        throw new Problem('unauthorized', detail, { headers: challenge() });
      }
      const address = clientAddress(ctx.req);
      // The guard behind a late body runs within the first one, which counts the answer.
      const isWithin = (ctx.state as Partial<GuardedState>).principal !== undefined;
      const judged = await judge(presented, address, ctx.method);
      const { principal } = judged.verdict;
      const reason =
        judged.reason ?? (principal && (await reasonAtRoute(ctx, presented, principal, access)));
      const noteAnswer = (status: number) => {
        if (principal !== undefined && !isWithin) activity.noteAnswer(principal, status);
      };
      countVerdict(reason ?? 'accepted');
      if (principal !== undefined) noteFacts(ctx, requestFactsOf(principal));

      if (reason !== undefined || principal === undefined) {
        const refused = { presented, principal, reason: reason ?? 'unknown', address };
        const refusal = refuse(ctx, refused, challenge, scopes);
        noteAnswer(refusal.status);
        throw refusal;
      }
      if (presented.by === 'dpop') ctx.set('DPoP-Nonce', proofCheck.nonce());
      if (principal.token === undefined) activity.noteUse(principal.credentialId, address);
      else activity.noteGrantUse(principal.token.grantId, address);
      ctx.state.principal = principal;
      try {
        await next();
        noteAnswer(ctx.status);
      } catch (error) {
        noteAnswer(statusOf(error));
        if (!isOpenDenial(error)) throw error;
        if (error.status === 403) activity.noteRefusal(principal, error.code, address);
        throw withChallenge(error, challenge, schemeOf(presented, principal));
      }
    };
  };
}

/** The status with which an error is answered. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' ? status : 500;
}

/**
 * Runs the guard again after a body that arrived late. Otherwise a request could be opened, its credential
 * revoked, and the body sent afterwards.
 */
export function guardLateBody<State extends RequestState>(
  guard: Middleware<State>,
): Middleware<State> {
  return (ctx, next) => (ctx.state.isBodyLate ? guard(ctx, next) : next());
}

/**
 * The reason to refuse a credential as it was presented. A secret in a URL is `exposed`, even if it is also
 * invalid.
 */
function reasonAgainst(verdict: Verdict, { by }: Presented, method: string): Reason | undefined {
  const { principal } = verdict;
  if (principal !== undefined) {
    const allowed: readonly string[] = KINDS[principal.kind].presentations;
    const isAllowed = by === 'dpop' ? principal.proofKey !== null : allowed.includes(by);
    if (!isAllowed) return by === 'query' ? 'exposed' : 'presentation_not_allowed';
    if (by === 'query' && method !== 'GET' && method !== 'HEAD') return 'presentation_not_allowed';
  }
  return verdict.outcome === 'refused' ? verdict.reason : undefined;
}

function reasonOfAudience(
  { principal }: Verdict,
  audiences: readonly string[],
): Reason | undefined {
  const audience = principal?.token?.audience;
  if (audience === undefined || audiences.includes(audience)) return undefined;
  return findResource(audiences, audience) === undefined ? 'audience_not_served' : undefined;
}

function mayBeInUrl(principal: Principal | undefined): boolean {
  const allowed: readonly string[] = principal ? KINDS[principal.kind].presentations : [];
  return allowed.includes('query');
}

/** Whether a refusal is an access token's expiry, which is too common for the audit log. */
function isOrdinaryEnd(principal: Principal, reason: Reason | undefined): boolean {
  return principal.token !== undefined && reason === 'expired';
}
