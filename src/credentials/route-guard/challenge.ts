import { Problem } from '../../http/errors/problem.js';
import type { Principal } from '../principal.js';
import { PROOF_ALGORITHMS } from '../proofs/proof-reader.js';
import type { Presented } from '../verification/presentation.js';

export type ChallengeError =
  'invalid_token' | 'insufficient_scope' | 'invalid_dpop_proof' | 'use_dpop_nonce';

/** The schemes that a challenge offers: DPoP where the credential came by it, or is bound to a key. */
export type ChallengeScheme = 'Bearer' | 'DPoP' | 'both';

/**
 * Makes the `WWW-Authenticate` header (RFC 6750 §3, RFC 9449 §7.1). A request without a credential gets no `error`
 * parameter.
 */
export type Challenge = (
  error?: ChallengeError,
  scheme?: ChallengeScheme,
) => Readonly<Record<string, string>>;

/**
 * @param resourceMetadataUrl the address of the protected resource metadata (RFC 9728 §5.1); `undefined` if unknown
 * @param scopes the scopes that the route requires
 */
export function createChallenge(
  resourceMetadataUrl: string | undefined,
  scopes: readonly string[] = [],
): Challenge {
  const algorithms = `algs="${PROOF_ALGORITHMS.join(' ')}"`;
  return (error, scheme = 'Bearer') => {
    const parameters = [
      'realm="api"',
      ...(error ? [`error="${error}"`] : []),
      ...(scopes.length > 0 ? [`scope="${scopes.join(' ')}"`] : []),
      ...(resourceMetadataUrl === undefined ? [] : [`resource_metadata="${resourceMetadataUrl}"`]),
    ];
    const challenge = parameters.join(', ');
    if (scheme === 'DPoP') return { 'WWW-Authenticate': `DPoP ${challenge}, ${algorithms}` };
    const dpop = scheme === 'both' ? `, DPoP ${algorithms}` : '';
    return { 'WWW-Authenticate': `Bearer ${challenge}${dpop}` };
  };
}

/** Whether an error is a 401 or 403 without a challenge. The guard behind a late body may have added one. */
export function isOpenDenial(error: unknown): error is Problem {
  return (
    error instanceof Problem &&
    (error.status === 401 || error.status === 403) &&
    !('WWW-Authenticate' in error.headers)
  );
}

/** Adds the challenge to a refusal by a handler, as the guard does to its own. */
export function withChallenge(
  problem: Problem,
  challenge: Challenge,
  scheme: ChallengeScheme = 'Bearer',
): Problem {
  const { code, message, errors, requiredScopes, cause } = problem;
  const error = problem.status === 401 ? 'invalid_token' : 'insufficient_scope';
  const headers = challenge(error, scheme);
  return new Problem(code, message, {
    headers,
    ...(errors && { errors }),
    ...(requiredScopes && { requiredScopes }),
    cause,
  });
}

/** The schemes that the challenge offers: both if a bound credential came by another scheme. */
export function schemeOf({ by }: Presented, principal: Principal | undefined): ChallengeScheme {
  if (by === 'dpop') return 'DPoP';
  return principal === undefined || principal.proofKey === null ? 'Bearer' : 'both';
}
