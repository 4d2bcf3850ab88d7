import { Problem } from '../http/problem.js';
import type { Scope } from '../scopes/catalog.js';

export type ChallengeError = 'invalid_token' | 'insufficient_scope';

/** Makes the `WWW-Authenticate` header (RFC 6750 §3). Without a credential there is no error to name. */
export type Challenge = (error?: ChallengeError) => Readonly<Record<string, string>>;

/**
 * @param resourceMetadataUrl where clients learn how to get a token (RFC 9728 §5.1)
 * @param scopes those that are needed
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

/** A 401 or 403 without a challenge yet: behind a late body there are two guards, and the inner one has said it all. */
export function isOpenDenial(error: unknown): error is Problem {
  return (
    error instanceof Problem &&
    (error.status === 401 || error.status === 403) &&
    !('WWW-Authenticate' in error.headers)
  );
}

/** What a handler forbids is answered like what the guard forbids. */
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
