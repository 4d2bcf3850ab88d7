import type { Limits, Usage } from './types.js';

/** An answer to a request that was not admitted. */
export interface Refusal {
  readonly isAdmitted: false;
  readonly requestId: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A problem in JSON (RFC 9457). */
  readonly body: string;
}

/** The reason for a refusal. */
export interface Reason {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly requiredScopes?: readonly string[];
}

/** The schemes that a challenge offers. */
export type ChallengeScheme = 'Bearer' | 'DPoP' | 'both';

const TITLES = new Map([
  ['bad_request', 'Bad request'],
  ['unauthorized', 'Unauthorized'],
  ['token_expired', 'Credential expired'],
  ['forbidden', 'Forbidden'],
  ['scope_insufficient', 'Insufficient scope'],
  ['tenant_suspended', 'Tenant suspended'],
  ['rate_limited', 'Rate limit exceeded'],
  ['internal_error', 'Internal server error'],
  ['service_unavailable', 'Service unavailable'],
]);
const ALGORITHMS = 'algs="ES256 EdDSA Ed25519 PS256 RS256"';

export const UNAVAILABLE: Reason = {
  status: 503,
  code: 'service_unavailable',
  detail: 'The service is not available right now. Try again.',
  headers: { 'Retry-After': '1' },
};
export const FAILED: Reason = {
  status: 500,
  code: 'internal_error',
  detail: 'Something went wrong on our side.',
};
export const SEVERAL: Reason = {
  status: 400,
  code: 'bad_request',
  detail: 'Present one credential, in one way.',
};
export const INVALID: Reason = {
  status: 401,
  code: 'unauthorized',
  detail: 'The credential is not valid.',
};

/** Makes the answer to a request that was not admitted. */
export function refusalOf(issuer: string, requestId: string, reason: Reason): Refusal {
  const { status, code, detail, headers, requiredScopes } = reason;
  return {
    isAdmitted: false,
    requestId,
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'X-Request-Id': requestId,
      ...headers,
    },
    body: JSON.stringify({
      type: `${issuer}/docs/errors#${code}`,
      title: TITLES.get(code) ?? 'Refused',
      status,
      detail,
      code,
      request_id: requestId,
      ...(requiredScopes && { required_scopes: requiredScopes }),
    }),
  };
}

/**
 * Makes the `WWW-Authenticate` header of a route (RFC 6750 §3, RFC 9449 §7.1). A request without a credential gets no
 * `error` parameter.
 */
export function createChallenge(
  resourceMetadataUrl: string | undefined,
  scopes: readonly string[],
): (error?: string, scheme?: ChallengeScheme) => Readonly<Record<string, string>> {
  return (error, scheme = 'Bearer') => {
    const parameters = ['realm="api"'];
    if (error !== undefined) parameters.push(`error="${error}"`);
    if (scopes.length > 0) parameters.push(`scope="${scopes.join(' ')}"`);
    if (resourceMetadataUrl !== undefined) {
      parameters.push(`resource_metadata="${resourceMetadataUrl}"`);
    }
    const challenge = parameters.join(', ');
    if (scheme === 'DPoP') return { 'WWW-Authenticate': `DPoP ${challenge}, ${ALGORITHMS}` };
    const dpop = scheme === 'both' ? `, DPoP ${ALGORITHMS}` : '';
    return { 'WWW-Authenticate': `Bearer ${challenge}${dpop}` };
  };
}

/** The `RateLimit-*` headers of the budgets. A token's share is shown as the key's budget. */
export function limitHeaders(limits: Limits | undefined): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  if (limits === undefined) return headers;
  addUsage(headers, 'RateLimit-Tenant', limits.tenant);
  addUsage(headers, 'RateLimit-Key', limits.apiKey ?? limits.share);
  return headers;
}

function addUsage(headers: Record<string, string>, prefix: string, usage: Usage | undefined): void {
  if (usage === undefined || usage.limit === null) return;
  headers[`${prefix}-Limit`] = String(usage.limit);
  headers[`${prefix}-Remaining`] = String(usage.remaining);
  headers[`${prefix}-Reset`] = String(usage.resetSeconds);
}
