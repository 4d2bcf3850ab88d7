import type { IncomingMessage } from 'node:http';
import type { Middleware, ParameterizedContext } from 'koa';

import type { RequestState } from '../../http/context.js';
import { noteRefusal } from '../../http/errors/oauth-error.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import type { ActivityRecorder } from '../store/activity.js';
import type { Access } from './admission.js';
import { createChallenge, isOpenDenial, withChallenge, schemeOf } from './challenge.js';
import { KINDS } from '../kinds.js';
import type { Member } from './session-guard.js';
import type { Presentations, Presented } from '../verification/presentation.js';
import { requestFactsOf, type Principal } from '../principal.js';
import type { Judge, Judgement, ProofOf } from './judge.js';
import type { ProofCheck } from './proof-check.js';
import { refusalOf } from './refusals.js';

/** The state of a request behind the guard. A public route has no principal. */
export interface GuardedState extends RequestState {
  principal: Principal;
  /** The member whose browser session calls, on routes that admit sessions. */
  member?: Member;
  /** A credential that the endpoint read itself, such as Basic authentication at introspection. */
  presented?: Presented;
}

interface Dependencies {
  readonly judge: Judge;
  readonly presentations: Pick<Presentations, 'find' | 'explain'>;
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly activity: Pick<ActivityRecorder, 'noteAnswer' | 'noteRefusal'>;
  readonly proofCheck: ProofCheck;
  /** The address of the protected resource metadata (RFC 9728 §5.1). */
  readonly resourceMetadataUrl: string;
}

type GuardedContext = ParameterizedContext<GuardedState>;

/**
 * Makes the guard: middleware that admits a request to a route or refuses it with a Problem. A route without an access
 * rule admits nobody.
 */
export function createGuard({
  judge,
  presentations,
  clientAddress,
  activity,
  proofCheck,
  resourceMetadataUrl,
}: Dependencies): (access: Access | undefined) => Middleware<GuardedState> {
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
      const judgement = await judge({
        presented,
        access,
        address,
        notedAddress: address,
        method: ctx.req.method ?? '',
        parameters: ctx.params as Readonly<Record<string, string>> | undefined,
        proof: () => proofOf(proofCheck, ctx, presented),
      });
      const { principal } = judgement;
      const counted = isWithin ? undefined : principal;
      const noteAnswer = (status: number) => counted && activity.noteAnswer(counted, status);
      if (principal !== undefined) noteFacts(ctx, requestFactsOf(principal));
      if (judgement.reason !== undefined) {
        const refusal = refusalOf(judgement.reason, {
          ...factsOfRefusal(presented, judgement),
          challenge,
          scopes,
          headers: presented.by === 'dpop' ? { 'DPoP-Nonce': proofCheck.nonce() } : {},
          explainForm: () => presentations.explain(ctx.req, presented),
        });
        noteRefusal(ctx, refusal.code, judgement.reason);
        noteAnswer(refusal.status);
        throw refusal;
      }
      if (presented.by === 'dpop') ctx.set('DPoP-Nonce', proofCheck.nonce());
      ctx.state.principal = judgement.principal;
      try {
        await next();
        noteAnswer(ctx.res.statusCode);
      } catch (error) {
        noteAnswer(statusOf(error));
        if (!isOpenDenial(error)) throw error;
        if (error.status === 403) activity.noteRefusal(judgement.principal, error.code, address);
        throw withChallenge(error, challenge, schemeOf(presented, principal));
      }
    };
  };
}

function proofOf(check: ProofCheck, ctx: GuardedContext, presented: Presented): ProofOf {
  return {
    read: (bound) => check.read(ctx, bound, presented),
    claim: (proof) => check.claim(ctx, proof, presented),
  };
}

function factsOfRefusal(presented: Presented, judgement: Judgement) {
  const { principal } = judgement;
  return {
    principal,
    scheme: schemeOf(presented, principal),
    isHidden: isHidden(presented, judgement),
  };
}

/** The status with which an error is answered. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  return typeof status === 'number' ? status : 500;
}

/** Whether an answer must not reveal anything about a secret, because it was sent in a URL. */
export function isHidden({ by }: Presented, { principal }: Judgement): boolean {
  const allowed: readonly string[] = principal ? KINDS[principal.kind].presentations : [];
  return by === 'query' && !allowed.includes('query');
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
