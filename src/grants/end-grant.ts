import type { EntityManager } from 'typeorm';

import { createAuditLog, type Actor } from '../audit/audit-log.js';
import { createGrantStore } from './grant-store.js';

/** Of a code or refresh token what is needed to end its grant. */
export type EndedGrant = Readonly<Record<'grant_id' | 'tenant_id' | 'client_id', string>>;

/** Ends a grant and notes that, in the manager's transaction. */
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
