/**
 * SQL conditions for the state of a credential `c`: a row of `credentials`, `access_tokens` or `grants`. Verification,
 * refreshes, lists and the command line share them, so that their verdicts agree.
 */

/**
 * One of its subjects was revoked after it was issued. The order is that of the sequence from which
 * `credentials/revocation/revocation-store` draws, never that of clocks.
 */
export const IS_REVOKED = `EXISTS (
  SELECT FROM revocations r WHERE r.subject = ANY (c.subjects) AND r.seq > c.issue_seq)`;

export const IS_EXPIRED = `(c.expires_at IS NOT NULL AND c.expires_at <= gatehouse_now())`;

/** Neither revoked nor expired. */
export const IS_VALID = `NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}`;

/** The current role of a personal token's account. */
export const ROLE = `(SELECT m.role FROM memberships m
  WHERE c.principal_kind = 'user' AND m.account_id = c.principal_id AND m.tenant_id = c.tenant_id)`;

/** The current state of a key or personal token. The end of a membership revokes its tokens. */
export const STATUS = `CASE
  WHEN (c.principal_kind = 'user' AND ${ROLE} IS NULL) OR ${IS_REVOKED} THEN 'revoked'
  WHEN ${IS_EXPIRED} THEN 'expired' ELSE 'active' END`;
