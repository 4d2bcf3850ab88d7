/**
 * The conditions by which a stored credential is judged, as SQL over `credentials c`. Everything
 * that judges (the guard, lists, the command line) uses these, so that no two places can disagree.
 */

/**
 * It or a wider subject of it was revoked after it was issued. *After* is the order of one
 * sequence, drawn under the subject's lock: see `revocation-store.ts`.
 */
export const IS_REVOKED = `EXISTS (
  SELECT FROM revocations r WHERE r.subject = ANY (c.subjects) AND r.seq > c.issue_seq)`;

export const IS_EXPIRED = `(c.expires_at IS NOT NULL AND c.expires_at <= gatehouse_now())`;

/** The role of the member that a personal token speaks for. */
export const ROLE = `(SELECT m.role FROM memberships m
  WHERE c.principal_kind = 'user' AND m.account_id = c.principal_id AND m.tenant_id = c.tenant_id)`;

/** What a key or personal token is now. A membership that ended takes its tokens along. */
export const STATUS = `CASE
  WHEN (c.principal_kind = 'user' AND ${ROLE} IS NULL) OR ${IS_REVOKED} THEN 'revoked'
  WHEN ${IS_EXPIRED} THEN 'expired' ELSE 'active' END`;
