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
