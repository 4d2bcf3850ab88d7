import { Problem, type ProblemCode } from '../../http/errors/problem.js';
import type { Scope } from '../../scopes/catalog.js';
import { missingFrom } from '../../scopes/scope-set.js';
import type { Challenge, ChallengeError, ChallengeScheme } from './challenge.js';
import type { Principal } from '../principal.js';
import type { Refusal } from '../verification/verifier.js';

/** The fault of the proof that comes with a bound credential (RFC 9449). */
export type ProofRefusal = 'proof_missing' | 'proof_invalid' | 'proof_used' | 'proof_nonce_missing';

/** The reason why a credential is refused at a route. */
export type Reason =
  | Refusal
  | 'exposed'
  | 'presentation_not_allowed'
  | ProofRefusal
  | 'audience_not_served'
  | 'other_tenant_beside'
  | 'environment_beyond'
  | 'not_bound'
  | 'principal_not_admitted'
  | 'scope_insufficient';

/** The detail for every credential refused in a URL. It reveals nothing about the credential. */
const NOT_IN_URL = 'The credential is not valid here. Only publishable keys may be in a URL.';

/** The answer for each reason. A disallowed address answers like an unknown key. */
const ANSWERS: Readonly<Record<Reason, readonly [ProblemCode, ChallengeError, string]>> = {
  malformed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  unknown: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  revoked: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  address_not_allowed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  presentation_not_allowed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  proof_missing: [
    'unauthorized',
    'invalid_token',
    'The credential is bound to a key. Send it as Authorization: DPoP, with a proof.',
  ],
  proof_invalid: ['unauthorized', 'invalid_dpop_proof', 'The DPoP proof is not valid.'],
  proof_used: ['unauthorized', 'invalid_dpop_proof', 'The DPoP proof was used before.'],
  proof_nonce_missing: [
    'unauthorized',
    'use_dpop_nonce',
    'Make the proof with the nonce of the header DPoP-Nonce.',
  ],
  audience_not_served: [
    'unauthorized',
    'invalid_token',
    'The token was issued for another resource.',
  ],
  exposed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  expired: ['token_expired', 'invalid_token', 'The credential has expired.'],
  tenant_suspended: [
    'tenant_suspended',
    'insufficient_scope',
    'The tenant that the credential belongs to is suspended.',
  ],
  other_tenant_beside: [
    'forbidden',
    'insufficient_scope',
    'The publishable key and the token belong to different tenants.',
  ],
  environment_beyond: [
    'forbidden',
    'insufficient_scope',
    "The token does not reach the publishable key's environment.",
  ],
  not_bound: ['forbidden', 'insufficient_scope', 'The credential is bound to other resources.'],
  principal_not_admitted: [
    'forbidden',
    'insufficient_scope',
    'Credentials of this kind are not admitted here.',
  ],
  scope_insufficient: [
    'scope_insufficient',
    'insufficient_scope',
    'The credential lacks a scope that this needs.',
  ],
};

export const REASONS = Object.keys(ANSWERS) as readonly Reason[];

/** The facts that a refusal depends on. */
interface Refused {
  readonly principal: Principal | undefined;
  readonly challenge: Challenge;
  readonly scheme: ChallengeScheme;
  /** Headers of the answer, such as a nonce. */
  readonly headers: Readonly<Record<string, string>>;
  /** The scopes that the route requires. */
  readonly scopes: readonly Scope[];
  /** Whether it was presented in a URL and must not be. */
  readonly isHidden: boolean;
  /** Describes the fault of a malformed credential. */
  readonly explainForm: () => string;
}

/** Makes the answer to a refused credential. */
export function refusalOf(reason: Reason, refused: Refused): Problem {
  const [code, error] = ANSWERS[reason];
  return new Problem(code, detailOf(reason, refused), {
    headers: { ...refused.headers, ...refused.challenge(error, refused.scheme) },
    ...(reason === 'scope_insufficient' && { requiredScopes: refused.scopes }),
  });
}

function detailOf(reason: Reason, { principal, scopes, isHidden, explainForm }: Refused): string {
  if (isHidden) return NOT_IN_URL;
  if (reason === 'malformed') return explainForm();
  if (reason !== 'scope_insufficient') return ANSWERS[reason][2];
  const missing = missingFrom(principal?.scopes ?? [], scopes);
  const noun = missing.length === 1 ? 'the scope' : 'the scopes';
  return `The credential lacks ${noun} ${missing.join(', ')}.`;
}
