import { Problem } from '../../http/errors/problem.js';
import type { Scope } from '../../scopes/catalog.js';

export type ChallengeError = 'invalid_token' | 'insufficient_scope';

/** Makes the `WWW-Authenticate` header (RFC 6750 §3). A request without a credential gets no `error` parameter. */
export type Challenge = (error?: ChallengeError) => Readonly<Record<string, string>>;

/**
 * @param resourceMetadataUrl the address of the protected resource metadata (RFC 9728 §5.1)
 * @param scopes the scopes that the route requires
 */
export function createChallenge(
  resourceMetadataUrl: string,
  scopes: readonly Scope[] = [],
): Challenge {
  return (error) => {
    const parameters = [
      'realm="api"',
      ...(error ? [`error="${error}"`] : []),
      ...(scopes.length > 0 ? [`scope="${scopes.join(' ')}"`] : []),
      `resource_metadata="${resourceMetadataUrl}"`,
    ];
    return { 'WWW-Authenticate': `Bearer ${parameters.join(', ')}` };
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
export function withChallenge(problem: Problem, challenge: Challenge): Problem {
  const { code, message, errors, requiredScopes, cause } = problem;
  const headers = challenge(problem.status === 401 ? 'invalid_token' : 'insufficient_scope');
  return new Problem(code, message, {
    headers,
    ...(errors && { errors }),
    ...(requiredScopes && { requiredScopes }),
    cause,
  });
}
