import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../audit/audit-log.js';
import { createGrantStore } from './grant-store.js';

/** The members of a code or refresh token that revoking its grant needs. */
export type EndedGrant = Readonly<Record<'grant_id' | 'tenant_id' | 'client_id', string>>;

/** Revokes a grant and records it in the audit log, in the manager's transaction. */
export async function endGrantIn(
  manager: EntityManager,
  { grant_id: grantId, tenant_id: tenantId, client_id: clientId }: EndedGrant,
  actor: Actor,
  reason: string | null,
): Promise<void> {
  await createGrantStore(manager).revoke(grantId, actor.id, reason);
  await createAuditLog(manager).record(actor, {
    tenantId,
    action: 'grant.revoke',
    subject: grantId,
    details: { clientId, reason },
  });
}
