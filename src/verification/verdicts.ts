import {
  type ActivityRecorder,
  ANY_PRINCIPAL,
  isHidden,
  type Judge,
  type Presentations,
  type Presented,
  presentPrincipal,
  type Principal,
  type ProofOf,
  type Proofs,
  readProof,
  refusalOf,
  type Target,
} from '../credentials/index.js';
import { Problem } from '../http/errors/problem.js';
import type { RateLimits } from '../rate-limits/index.js';
import type { SpaceContextResolver } from '../spaces/index.js';
import type { VerifyQuestion } from './verify-schema.js';

export interface VerdictDependencies {
  readonly judge: Judge;
  readonly presentations: Pick<Presentations, 'explain'>;
  readonly proofs: Proofs;
  readonly activity: Pick<ActivityRecorder, 'noteAnswer'>;
  readonly rateLimits: Pick<RateLimits, 'budgets' | 'spend' | 'now'>;
  readonly spaceContext: Pick<SpaceContextResolver, 'enter'>;
}

/** The request of the service that asks. */
export interface Caller {
  readonly target: Target;
  /** Recorded for credentials whose address the service does not report. */
  readonly address: string;
}

/**
 * Judges one credential as the guard of the API would: the same judgement, the same budgets, the same spaces.
 *
 * @returns the verdict as it is answered
 * @throws Problem `service_unavailable`
 */
export type VerdictOf = (question: VerifyQuestion, caller: Caller) => Promise<object>;

export function createVerdicts(dependencies: VerdictDependencies): VerdictOf {
  const { judge, presentations, proofs, activity, rateLimits, spaceContext } = dependencies;
  const { budgets, spend, now } = rateLimits;

  return async (question, { target, address: callerAddress }) => {
    const { credential, presentation, method, address, scopes, space, resource } = question;
    const presented = { raw: credential, by: presentation };
    const notedAddress = address ?? callerAddress;
    const judgement = await judge({
      presented,
      method,
      address,
      notedAddress,
      target,
      access: {
        scopes,
        principals: ANY_PRINCIPAL,
        ...(resource !== undefined && { resource: resource.type }),
      },
      parameters: resource && { id: resource.id },
      proof: proofIn(question, presented, proofs),
    });
    if (judgement.reason !== undefined) {
      const refusal = refusalOf(judgement.reason, {
        scopes,
        principal: judgement.principal,
        challenge: () => ({}),
        scheme: 'Bearer',
        headers: {},
        isHidden: isHidden(presented, judgement),
        explainForm: () => presentations.explain({ headers: {} }, presented),
      });
      if (judgement.principal) activity.noteAnswer(judgement.principal, refusal.status);
      const nonce = presentation === 'dpop' ? { dpopNonce: proofs.nonce() } : {};
      return { ...presentRefusal(refusal), ...nonce };
    }
    const { principal } = judgement;
    const shares = budgets.sharesOf(principal, () => notedAddress, now());
    const spent = question.cost > 0 ? spend(shares, question.cost, now()) : undefined;
    const denial = spent?.problem ?? (await denialOfSpace(spaceContext, principal, space));
    activity.noteAnswer(principal, denial?.status ?? 200);
    if (denial !== undefined) return presentRefusal(denial);
    return {
      ...presentPrincipal(principal),
      ...factsOf(principal),
      ...(address === undefined && { allowedIps: principal.allowedIps }),
      limits: budgets.usageOf(principal, () => notedAddress, now()),
    };
  };
}

/** The proof that a question carries, for the URL that the service received it at. */
function proofIn({ dpop, method }: VerifyQuestion, presented: Presented, proofs: Proofs): ProofOf {
  const request = { headersDistinct: dpop === undefined ? {} : { dpop: [dpop.proof] } };
  const proven = { method, url: dpop?.url ?? '', credential: presented.raw };
  return {
    read: (principal) => readProof(proofs, request, proven, principal, presented),
    claim: async (proof) => ((await proofs.claim(proof)) ? undefined : 'proof_used'),
  };
}

/**
 * The reason why a credential may not enter a space. An unknown space is answered like one that it may not enter.
 *
 * @returns `undefined` if it may, or none is named
 * @throws Problem `service_unavailable`
 */
export async function denialOfSpace(
  spaceContext: Pick<SpaceContextResolver, 'enter'>,
  principal: Principal,
  space: string | undefined,
): Promise<Problem | undefined> {
  if (space === undefined) return undefined;
  try {
    await spaceContext.enter(principal, space);
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    return new Problem('forbidden', 'The credential may not enter this space.');
  }
}

function factsOf({ spaces, bindings, expiresAt, origin, ...principal }: Principal) {
  return {
    active: true,
    spaces,
    bindings,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    principal: { kind: principal.principalKind, id: principal.principalId },
    subjects: origin.subjects.split(' '),
    position: origin.position,
  };
}

function presentRefusal({ status, code, message, headers }: Problem) {
  const retryAfter = headers['Retry-After'];
  return {
    active: false,
    status,
    code,
    detail: message,
    ...(retryAfter !== undefined && { retryAfterSeconds: Number(retryAfter) }),
  };
}
