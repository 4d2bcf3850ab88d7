import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import { Counter, type Registry } from 'prom-client';

import type { RequestState } from '../http/context.js';
import { noteRefusal } from '../http/oauth-error.js';
import { Problem } from '../http/problem.js';
import { noteFacts } from '../http/request-facts.js';
import { findResource } from '../http/resource-uri.js';
import type { Scope } from '../scopes/catalog.js';
import { missingFrom } from '../scopes/scope-set.js';
import type { ActivityRecorder } from './activity.js';
import { isBoundTo } from './binding.js';
import { createChallenge, isOpenDenial, withChallenge } from './challenge.js';
import { KINDS, type PrincipalKind } from './kinds.js';
import { actingWhere, reasonAgainstPair } from './pairing.js';
import type { Presentations, Presented } from './presentation.js';
import { factsOf, type Principal } from './principal.js';
import { REASONS, refusalOf, type Reason } from './refusals.js';
import type { Verdict, Verifier } from './verifier.js';

/** Whom a route admits: everybody, or these kinds of principal if they hold all of the scopes. */
export type Access =
  | 'public'
  | {
      readonly scopes: readonly Scope[];
      readonly principals: readonly PrincipalKind[];
      /** What the route is about, as bindings call it; the parameter `id` of its path says which one. */
      readonly thing?: string;
      /** Whether it also admits the key that the parameter `id` names, whatever its kind and scopes; see `isItself`. */
      readonly orItself?: boolean;
    };

export const ANY_PRINCIPAL: readonly PrincipalKind[] = [
  'tenant',
  'user',
  'service',
  'agent',
  'publishable',
];

/** What a handler behind the guard may rely on; a public route has no principal. */
export interface GuardedState extends RequestState {
  principal: Principal;
  /** A credential that the endpoint's own protocol carries, such as Basic at introspection. */
  presented?: Presented;
}

interface Dependencies {
  readonly verifier: Verifier;
  readonly presentations: Presentations;
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly activity: ActivityRecorder;
  readonly register: Registry;
  /** Where clients learn how to get a token (RFC 9728 §5.1). */
  readonly resourceMetadataUrl: string;
  /** The resources that are served here: tokens for another are refused (RFC 8707 §2.2). */
  readonly audiences: readonly string[];
}

/**
 * Makes the guard: middleware that admits a request to a route, or says why it doesn't.
 *
 * A route that declares nothing admits nobody. The order is RFC 6750 §3.1's: first who it is (401),
 * then whether this kind of principal may come here at all, then the scopes (403).
 */
export function createGuard({
  verifier,
  presentations,
  clientAddress,
  activity,
  register,
  resourceMetadataUrl,
  audiences,
}: Dependencies): (access: Access | undefined) => Middleware<GuardedState> {
  const countVerdict = createVerdictCounter(register);

  interface Judged {
    readonly verdict: Verdict;
    readonly reason: Reason | undefined;
  }

  /** Why a credential is refused wherever it comes, if it is. */
  const reasonOf = (verdict: Verdict, presented: Presented, method: string) =>
    reasonAgainst(verdict, presented, method) ?? reasonOfAudience(verdict, audiences);

  /** Both are judged, and looked up by one query. The first that is refused is what the answer is about. */
  async function judgePair(
    presented: Presented,
    beside: string,
    address: string,
    method: string,
  ): Promise<Judged> {
    const pair = [{ raw: beside, by: 'x-api-key' } as const, presented];
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
    const principal = actingWhere(user, key);
    const reason = reasonAgainstPair(user, key);
    return { verdict: { outcome: 'accepted', principal }, reason };
  }

  return (access) => {
    if (access === 'public') return (_ctx, next) => next();
    const challenge = createChallenge(resourceMetadataUrl, access?.scopes ?? []);

    return async (ctx, next) => {
      const presented = ctx.state.presented ?? presentations.find(ctx.req, ctx.querystring);
      if (presented === undefined) {
        const detail = presentations.explain(ctx.req, undefined);
        throw new Problem('unauthorized', detail, { headers: challenge() });
      }
      const address = clientAddress(ctx.req);
      let verdict: Verdict;
      let ownReason: Reason | undefined;
      if (presented.beside === undefined) {
        verdict = await verifier.verify(presented.raw, address);
        ownReason = reasonOf(verdict, presented, ctx.method);
      } else {
        const pair = await judgePair(presented, presented.beside, address, ctx.method);
        ({ verdict, reason: ownReason } = pair);
      }
      const { principal } = verdict;
      const reason = ownReason ?? reasonToTurnAway(principal, access, ctx.params);
      countVerdict(reason ?? 'accepted');
      if (principal !== undefined) noteFacts(ctx, factsOf(principal));

      if (reason !== undefined || principal === undefined) {
        if (principal !== undefined && !isOrdinaryEnd(principal, reason)) {
          activity.noteRefusal(principal, reason ?? 'unknown', address);
        }
        // Nothing is told about a credential that must not be in a URL.
        const isHidden = presented.by === 'query' && !mayBeInUrl(principal);
        const refusal = refusalOf(reason ?? 'unknown', {
          ...{ principal, challenge, scopes: access?.scopes ?? [], isHidden },
          explainForm: () => presentations.explain(ctx.req, presented),
        });
        noteRefusal(ctx, refusal.code, reason ?? 'unknown');
        throw refusal;
      }
      if (principal.token === undefined) activity.noteUse(principal.credentialId, address);
      ctx.state.principal = principal;
      try {
        await next();
      } catch (error) {
        if (!isOpenDenial(error)) throw error;
        if (error.status === 403) activity.noteRefusal(principal, error.code, address);
        throw withChallenge(error, challenge);
      }
    };
  };
}

/**
 * Makes the guard that stands behind the body: what came in after the first verdict is admitted only
 * by a new one. Else a request could be opened, its credential revoked, and the body sent then.
 */
export function guardLateBody<State extends RequestState>(
  guard: Middleware<State>,
): Middleware<State> {
  return (ctx, next) => (ctx.state.isBodyLate ? guard(ctx, next) : next());
}

/**
 * Why this credential, presented like this, is refused. One that must not be in a URL at all was
 * exposed there, whatever else may be wrong with it.
 */
function reasonAgainst(verdict: Verdict, { by }: Presented, method: string): Reason | undefined {
  const { principal } = verdict;
  if (principal !== undefined) {
    const allowed: readonly string[] = KINDS[principal.kind].presentations;
    if (!allowed.includes(by)) return by === 'query' ? 'exposed' : 'presentation_not_allowed';
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

/** Every access token expires within the hour: that is not worth an entry in the audit log. */
function isOrdinaryEnd(principal: Principal, reason: Reason | undefined): boolean {
  return principal.token !== undefined && reason === 'expired';
}

/**
 * Why a good credential is not admitted to a route; `undefined` if it is.
 *
 * @param parameters those of the request's path
 */
export function reasonToTurnAway(
  principal: Principal | undefined,
  access: Exclude<Access, 'public'> | undefined,
  parameters: Readonly<Record<string, string>> | undefined,
): Reason | undefined {
  if (principal === undefined) return undefined;
  if (access?.orItself === true && isItself(principal, parameters?.['id'])) return undefined;
  if (!access?.principals.includes(principal.principalKind)) return 'principal_not_admitted';
  if (missingFrom(principal.scopes, access.scopes).length > 0) return 'scope_insufficient';
  return isBoundTo(principal, access.thing, parameters?.['id']) ? undefined : 'not_bound';
}

/** Whether a path names the key that was presented. Holding a key that may be public proves nothing. */
function isItself({ kind, token, credentialId }: Principal, id: string | undefined): boolean {
  return token === undefined && !KINDS[kind].isReadable && credentialId === id;
}

function createVerdictCounter(register: Registry): (verdict: Reason | 'accepted') => void {
  // Counted here and handed over when somebody looks: resolving a label costs more than counting.
  const counts = new Map<string, number>(['accepted', ...REASONS].map((v) => [v, 0]));
  const counter = new Counter({
    name: 'gatehouse_verdicts_total',
    help: 'Credentials judged, by outcome: accepted, or the reason of the refusal.',
    labelNames: ['verdict'] as const,
    registers: [register],
    collect() {
      counter.reset();
      for (const [verdict, count] of counts) counter.inc({ verdict }, count);
    },
  });
  return (verdict) => void counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
}
