import { Problem, type ProblemCode } from '../http/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { missingFrom } from '../scopes/scope-set.js';
import type { Challenge, ChallengeError } from './challenge.js';
import type { Principal } from './principal.js';
import type { Refusal } from './verifier.js';

/** Why a credential does not open a route. */
export type Reason =
  | Refusal
  | 'exposed'
  | 'presentation_not_allowed'
  | 'audience_not_served'
  | 'other_tenant_beside'
  | 'environment_beyond'
  | 'not_bound'
  | 'principal_not_admitted'
  | 'scope_insufficient';

/** Said of every credential that is refused in a URL: it tells nothing about the credential. */
const NOT_IN_URL = 'The credential is not valid here. Only publishable keys may be in a URL.';

/** How a reason looks from outside. An address that isn't allowed looks like a wrong key. */
const ANSWERS: Readonly<Record<Reason, readonly [ProblemCode, ChallengeError, string]>> = {
  malformed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  unknown: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  revoked: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  address_not_allowed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
  presentation_not_allowed: ['unauthorized', 'invalid_token', 'The credential is not valid.'],
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
  not_bound: [
    'forbidden',
    'insufficient_scope',
    'The credential is bound to other things than this.',
  ],
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

/** What a refusal is about. */
interface Refused {
  readonly principal: Principal | undefined;
  readonly challenge: Challenge;
  /** Those that the route needs. */
  readonly scopes: readonly Scope[];
  /** It was presented in a URL, where it must not be. */
  readonly isHidden: boolean;
  /** What is wrong with the form of what was presented. */
  readonly explainForm: () => string;
}

/** The answer to a credential that does not open a route. */
export function refusalOf(reason: Reason, refused: Refused): Problem {
  const [code, error] = ANSWERS[reason];
  return new Problem(code, detailOf(reason, refused), {
    headers: refused.challenge(error),
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
