import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import { Counter, type Registry } from 'prom-client';

import type { RequestState } from '../http/context.js';
import { Problem, type ProblemCode } from '../http/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { missingFrom } from '../scopes/scope-set.js';
import type { ActivityRecorder } from './activity.js';
import { KINDS, type PrincipalKind } from './kinds.js';
import type { Presented } from './presentation.js';
import type { Principal } from './principal.js';
import type { Refusal, Verdict, Verifier } from './verifier.js';

/** Whom a route admits: everybody, or these kinds of principal if they hold all of the scopes. */
export type Access =
  'public' | { readonly scopes: readonly Scope[]; readonly principals: readonly PrincipalKind[] };

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
}

interface Dependencies {
  readonly verifier: Verifier;
  readonly presentations: {
    find(request: IncomingMessage, querystring: string): Presented | undefined;
  };
  readonly clientAddress: (request: IncomingMessage) => string;
  readonly activity: ActivityRecorder;
  readonly register: Registry;
  /** Where clients learn how to get a token (RFC 9728 §5.1). */
  readonly resourceMetadataUrl: string;
}

/** How a refusal looks from outside. An address that isn't allowed looks like a wrong key. */
const REFUSED_AS: Readonly<Record<Refusal, ProblemCode>> = {
  malformed: 'unauthorized',
  unknown: 'unauthorized',
  revoked: 'unauthorized',
  address_not_allowed: 'unauthorized',
  expired: 'token_expired',
  tenant_suspended: 'tenant_suspended',
};

const DETAILS = {
  unauthorized: 'The credential is not valid.',
  token_expired: 'The credential has expired.',
  tenant_suspended: 'The tenant that the credential belongs to is suspended.',
};

/**
 * Makes the guard: middleware that admits a request to a route, or says why it doesn't.
 *
 * A route that declares nothing admits nobody. The order is RFC 6750 §3.1's: first who it is (401),
 * then whether this kind of principal may come here at all, then the scopes (403).
 */
export function createGuard(
  dependencies: Dependencies,
): (access: Access | undefined) => Middleware<GuardedState> {
  const { presentations, clientAddress, activity, resourceMetadataUrl } = dependencies;
  const judge = createJudge(dependencies);

  return (access) => async (ctx, next) => {
    if (access === 'public') return next();
    const challenge = createChallenge(resourceMetadataUrl, access?.scopes ?? []);
    const presented = presentations.find(ctx.req, ctx.querystring);
    const address = clientAddress(ctx.req);
    if (presented === undefined) {
      throw new Problem('unauthorized', 'This needs a credential.', { headers: challenge() });
    }

    const { principal, failure } = await judge(presented, ctx.method, address);
    if (failure !== undefined) {
      const [code, detail] = failure;
      const error = code === 'tenant_suspended' ? 'insufficient_scope' : 'invalid_token';
      throw new Problem(code, detail, { headers: challenge(error) });
    }
    const refuse = (code: ProblemCode, reason: string, detail: string) => {
      activity.noteRefusal(principal, reason, address);
      return new Problem(code, detail, { headers: challenge('insufficient_scope') });
    };
    if (!access?.principals.includes(principal.principalKind)) {
      const detail = `This does not admit credentials of the kind ${principal.kind}.`;
      throw refuse('forbidden', 'principal_not_admitted', detail);
    }
    const missing = missingFrom(principal.scopes, access.scopes);
    if (missing.length > 0) {
      const detail = `The credential lacks ${missing.join(' ')}.`;
      throw refuse('scope_insufficient', 'scope_insufficient', detail);
    }

    activity.noteUse(principal.credentialId, address);
    ctx.state.principal = principal;
    return next();
  };
}

type Judged =
  | { readonly principal: Principal; readonly failure?: undefined }
  | { readonly principal?: undefined; readonly failure: readonly [ProblemCode, string] };

/** Verifies what was presented and how; notes refusals of known credentials and counts verdicts. */
function createJudge({ verifier, activity, register }: Dependencies) {
  const verdicts = new Counter({
    name: 'gatehouse_verdicts_total',
    help: 'Credentials judged, by outcome: accepted, or the reason of the refusal.',
    labelNames: ['verdict'] as const,
    registers: [register],
  });
  return async (presented: Presented, method: string, address: string): Promise<Judged> => {
    const verdict = await verifier.verify(presented.raw, address);
    const reason = reasonAgainst(verdict, presented, method);
    verdicts.inc({ verdict: reason ?? 'accepted' });
    if (reason === undefined && verdict.outcome === 'accepted') {
      return { principal: verdict.principal };
    }
    if (verdict.principal !== undefined) {
      activity.noteRefusal(verdict.principal, reason ?? 'refused', address);
    }
    const code = verdict.outcome === 'refused' ? REFUSED_AS[verdict.reason] : 'unauthorized';
    return { failure: [code, DETAILS[code as keyof typeof DETAILS]] };
  };
}

/**
 * Why this credential, presented like this, is refused. One that must not be in a URL at all was
 * exposed there, whatever else may be wrong with it.
 */
function reasonAgainst(
  verdict: Verdict,
  { by }: Presented,
  method: string,
): Refusal | 'exposed' | 'presentation_not_allowed' | undefined {
  const { principal } = verdict;
  if (principal !== undefined) {
    const allowed: readonly string[] = KINDS[principal.kind].presentations;
    if (!allowed.includes(by)) return by === 'query' ? 'exposed' : 'presentation_not_allowed';
    if (by === 'query' && method !== 'GET' && method !== 'HEAD') return 'presentation_not_allowed';
  }
  return verdict.outcome === 'refused' ? verdict.reason : undefined;
}

/** The `WWW-Authenticate` header (RFC 6750 §3). Without a credential there is no error to name. */
function createChallenge(resourceMetadataUrl: string, scopes: readonly Scope[]) {
  return (error?: 'invalid_token' | 'insufficient_scope'): Record<string, string> => {
    const parameters = [
      'realm="api"',
      ...(error ? [`error="${error}"`] : []),
      ...(scopes.length > 0 ? [`scope="${scopes.join(' ')}"`] : []),
      `resource_metadata="${resourceMetadataUrl}"`,
    ];
    return { 'WWW-Authenticate': `Bearer ${parameters.join(', ')}` };
  };
}
