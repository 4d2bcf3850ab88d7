import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';

import type { Actor } from '../audit/index.js';
import {
  type ActivityRecorder,
  type Challenge,
  createChallenge,
  type GuardedState,
  type Presentations,
  type Presented,
  withChallenge,
} from '../credentials/index.js';
import { type ApiRoute, declareRoutesFor } from '../http/api-route.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { noteRefusal } from '../http/errors/oauth-error.js';
import { Problem } from '../http/errors/problem.js';
import { noteFacts } from '../http/request-facts.js';
import type {
  CallingOperator,
  OperatorAuthentication,
  OperatorScope,
} from '../operator-keys/index.js';

/** The access rule of the operator's routes: an operator key with this scope, and nothing else. */
export interface OperatorAccess {
  readonly operator: OperatorScope;
  /** A further scope that the key needs. */
  readonly also?: OperatorScope;
}

/** The state of a request behind the operator's guard. */
export interface OperatorState extends RequestState {
  operator: CallingOperator;
  /** The operator key, for audit entries. */
  actor: Actor;
  /** The hash of the password in the body, where a route prepares it. */
  passwordHash?: string;
}

export type OperatorContext = RouteContext<OperatorState>;

/** A route of the operator's API. */
export type OperatorRoute = ApiRoute<OperatorAccess, OperatorState>;

export const operatorRoute = declareRoutesFor<OperatorAccess, OperatorState>();

export interface GuardDependencies {
  readonly operators: OperatorAuthentication;
  readonly presentations: Presentations;
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly activity: Pick<ActivityRecorder, 'noteRefusal' | 'noteOperatorKeyUse'>;
  readonly resourceMetadataUrl: string;
  /** The guard for credentials, with a rule that admits none: it refuses each as it is. */
  readonly refuseOthers: Middleware<GuardedState>;
}

const HEADERS: readonly Presented['by'][] = ['bearer', 'token', 'x-api-key', 'brand-header'];

/** Makes the guard of the operator's API. Other credentials are never admitted, whatever their scopes. */
export function createOperatorGuard(
  dependencies: GuardDependencies,
): (access: OperatorAccess) => Middleware<OperatorState> {
  const { operators, presentations, clientAddress, activity, refuseOthers } = dependencies;
  const refuseAnyway = () => Promise.reject(new Error('a credential was admitted'));
  const refuse = async (ctx: OperatorContext, challenge: Challenge) => {
    try {
      await refuseOthers(ctx as never, refuseAnyway);
    } catch (error) {
      // The guard for credentials does not know the scopes of this API.
      throw isDenial(error) ? withChallenge(error, challenge) : error;
    }
  };

  return ({ operator, also }) => {
    const scopes = also === undefined ? [operator] : [operator, also];
    const challenge = createChallenge(dependencies.resourceMetadataUrl, scopes);
    return async (context, next) => {
      const ctx = context as unknown as OperatorContext;
      const presented = presentations.find(ctx.req, ctx.querystring);
      if (presented === undefined) {
        const detail = presentations.explain(ctx.req, undefined);
        throw new Problem('unauthorized', detail, { headers: challenge() });
      }
      if (!operators.isWritten(presented.raw)) {
        if (presented.by !== 'query' && operators.hasPrefix(presented.raw))
          throw mistyped(challenge);
        return refuse(ctx, challenge);
      }
      if (presented.publishableKey !== undefined) {
        throw new Problem('bad_request', 'Present one credential, in one way.');
      }
      const address = clientAddress(ctx.req);
      const verdict = await operators.authenticate(presented.raw, address);
      const keyId = verdict.outcome === 'accepted' ? verdict.operator.id : verdict.keyId;
      if (keyId !== undefined) noteFacts(ctx, { credentialId: keyId, kind: 'operator' });
      const reason = reasonAgainst(verdict, presented, scopes);
      if (reason !== undefined) {
        if (keyId !== undefined) {
          activity.noteRefusal({ credentialId: keyId, tenantId: null }, reason, address);
        }
        const refusal = refusalOf(reason, scopes, challenge);
        noteRefusal(ctx, refusal.code, reason);
        throw refusal;
      }
      if (verdict.outcome === 'accepted') {
        activity.noteOperatorKeyUse(verdict.operator.id, address);
        ctx.state.operator = verdict.operator;
        ctx.state.actor = { id: verdict.operator.id, address, requestId: ctx.state.requestId };
        await next();
      }
    };
  };
}

function mistyped(challenge: Challenge): Problem {
  const headers = challenge('invalid_token');
  return new Problem('unauthorized', 'The operator key is cut off or mistyped.', { headers });
}

function isDenial(error: unknown): error is Problem {
  return error instanceof Problem && (error.status === 401 || error.status === 403);
}

type Verdict = Awaited<ReturnType<OperatorAuthentication['authenticate']>>;
type Reason =
  | Extract<Verdict, { outcome: 'refused' }>['reason']
  | 'exposed'
  | 'presentation_not_allowed'
  | 'scope_insufficient';

function reasonAgainst(
  verdict: Verdict,
  { by }: Presented,
  scopes: readonly OperatorScope[],
): Reason | undefined {
  if (by === 'query') return 'exposed';
  if (!HEADERS.includes(by)) return 'presentation_not_allowed';
  if (verdict.outcome === 'refused') return verdict.reason;
  const isHeld = (scope: OperatorScope) => verdict.operator.scopes.includes(scope);
  return scopes.every(isHeld) ? undefined : 'scope_insufficient';
}

function refusalOf(
  reason: Reason,
  scopes: readonly OperatorScope[],
  challenge: Challenge,
): Problem {
  if (reason === 'scope_insufficient') {
    return new Problem(
      'scope_insufficient',
      `The operator key needs ${scopes.length === 1 ? 'the scope' : 'the scopes'} ${scopes.join(' and ')}.`,
      {
        headers: challenge('insufficient_scope'),
        requiredScopes: [...scopes],
      },
    );
  }
  const headers = challenge('invalid_token');
  if (reason === 'expired') {
    return new Problem('token_expired', 'The credential has expired.', { headers });
  }
  return new Problem('unauthorized', 'The credential is not valid.', { headers });
}
