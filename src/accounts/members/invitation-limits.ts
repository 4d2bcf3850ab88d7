import { createHash } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { Problem } from '../../http/errors/problem.js';
import { createAttemptStore, type AttemptLimit } from '../../rate-limits/index.js';

/** Limits of the invitations that are sent. Each is counted before it is sent, whatever comes of it. */
export interface InvitationLimits {
  /** @throws Problem `rate_limited` */
  count(tenantId: string, emails: readonly string[]): Promise<void>;
}

/** A person who is invited may be flooded, and so may the mail server. */
const LIMITS = {
  tenant: { count: 200, seconds: 86_400 },
  recipient: { count: 5, seconds: 86_400 },
} as const satisfies Record<string, AttemptLimit>;

export function createInvitationLimits(manager: EntityManager): InvitationLimits {
  const attempts = createAttemptStore(manager);
  const take = async (bucket: string, limit: AttemptLimit, reason: string) => {
    const verdict = await attempts.take(bucket, limit);
    if (verdict.isAllowed) return;
    throw new Problem('rate_limited', `${reason} Try again tomorrow.`, {
      headers: { 'Retry-After': String(verdict.retryAfterSeconds) },
    });
  };
  return {
    async count(tenantId, emails) {
      for (const email of emails) {
        const toRecipient = `Too many invitations were sent to ${email} today.`;
        await take(`invitation to ${fingerprint(email)}`, LIMITS.recipient, toRecipient);
        const byTenant = 'The organization has sent too many invitations today.';
        await take(`invitations of ${tenantId}`, LIMITS.tenant, byTenant);
      }
    },
  };
}

/** Hashed, so that the counters do not list email addresses. */
function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
