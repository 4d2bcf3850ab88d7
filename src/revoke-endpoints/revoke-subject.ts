import type { EntityManager } from 'typeorm';

import { Account, Membership } from '../accounts/index.js';
import { type Actor, createAuditLog } from '../audit/index.js';
import { createClientStore, isClientId } from '../clients/index.js';
import { createRevocationStore, findTenantOfKey } from '../credentials/index.js';
import { createGrantStore } from '../grants/index.js';
import { Problem } from '../http/errors/problem.js';
import { createResourceServerStore } from '../resource-servers/index.js';
import { createTenantStore, Tenant } from '../tenants/index.js';

/**
 * Ends everything that belongs to a subject and was issued up to now: a key, grant, client, account, tenant, membership
 * (`usr_…@tnt_…`), a client in a tenant (`cli_…@tnt_…`), or a credential of a resource server.
 *
 * @param manager of a transaction
 * @throws Problem `not_found` for an unknown subject: a mistyped one must not look revoked
 */
export async function revokeSubject(
  manager: EntityManager,
  actor: Actor,
  subject: string,
  reason: string | null,
): Promise<void> {
  const tenantId = await tenantOfSubject(manager, subject);
  await createRevocationStore(manager).revoke(subject, actor.id, reason);
  await createAuditLog(manager).record(actor, {
    tenantId,
    action: 'subject.revoke',
    subject,
    details: { reason },
  });
}

/** The tenant in whose audit log the end of a subject belongs; `null` for what is wider than one. */
async function tenantOfSubject(manager: EntityManager, subject: string): Promise<string | null> {
  // The id of a client can be a URL that contains `@`.
  const [, subjectId, tenantId] = /^(.+)@(tnt_[^@]*)$/.exec(subject) ?? [];
  if (subjectId !== undefined && tenantId !== undefined) {
    if (await isWithinTenant(manager, subjectId, tenantId)) return tenantId;
  } else if (isClientId(subject)) {
    if (await isClient(manager, subject)) return null;
  } else if (subject.startsWith('tnt_')) {
    const tenant = await createTenantStore(manager).find(subject);
    if (tenant !== undefined) return tenant.id;
  } else if (subject.startsWith('grt_')) {
    const grant = await createGrantStore(manager).findAnywhere(subject);
    if (grant !== undefined) return grant.tenantId;
  } else if (subject.startsWith('usr_')) {
    if (await manager.existsBy(Account, { id: subject })) return null;
  } else if (subject.startsWith('rsc_')) {
    if (await createResourceServerStore(manager).hasCredential(subject)) return null;
  } else {
    const found = await findTenantOfKey(manager, subject);
    if (found !== undefined) return found;
  }
  throw new Problem('not_found', `There is no ${subject} that could be revoked.`);
}

/** Whether there is this account, or this client, in this tenant. */
async function isWithinTenant(
  manager: EntityManager,
  id: string,
  tenantId: string,
): Promise<boolean> {
  if (!isClientId(id)) return manager.existsBy(Membership, { accountId: id, tenantId });
  return (await isClient(manager, id)) && (await manager.existsBy(Tenant, { id: tenantId }));
}

async function isClient(manager: EntityManager, id: string): Promise<boolean> {
  return (await createClientStore(manager).find(id)) !== undefined;
}
