import { OAuthError } from '../../http/errors/oauth-error.js';

/** Reasons to refuse a code or refresh token. They appear in the log only. */
export type GrantRefusal =
  | 'malformed token'
  | 'unknown token'
  | 'issued to another client'
  | 'expired'
  | 'already consumed'
  | 'already consumed: its grant was ended'
  | 'lost to a concurrent request'
  | 'grant ended'
  | 'bound to another key'
  | 'grant older than GRANT_MAX_DAYS'
  | 'membership ended'
  | 'resource no longer registered';

/** The same response for every reason, so that it reveals nothing about a code or token. The log has the reason. */
export function invalidGrant(reason: GrantRefusal): OAuthError {
  return new OAuthError(400, 'invalid_grant', 'grant request is invalid', {}, { reason });
}
