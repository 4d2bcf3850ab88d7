import type { EntityManager } from 'typeorm';

import { Account, Membership } from '../../accounts/index.js';
import { createAuditLog, OPERATOR } from '../../audit/index.js';
import { createClientStore, isClientId } from '../../clients/index.js';
import { createRevocationStore, Credential } from '../../credentials/index.js';
import { createGrantStore } from '../../grants/index.js';
import { createResourceServerStore } from '../../resource-servers/index.js';
import { createTenantStore, Tenant } from '../../tenants/index.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';
import { revokeIssuedBefore } from './recover.js';

/** Ends a subject, or everything that was issued before a time. */
export async function revokeSubject(
  { manager }: CommandContext,
  values: {
    readonly subject: string | undefined;
    readonly issuedBefore: string | undefined;
    readonly reason: string | undefined;
  },
) {
  const { subject, issuedBefore = '', reason = null } = values;
  if (subject === undefined) return revokeIssuedBefore(manager, issuedBefore, reason);
  const tenantId = await tenantOfSubject(manager, subject);
  await createRevocationStore(manager).revoke(subject, OPERATOR.id, reason);
  await createAuditLog(manager).record(OPERATOR, {
    tenantId,
    action: 'subject.revoke',
    subject,
    details: { reason },
  });
  return { subject, revoked: true, reason };
}

/**
 * The tenant in whose audit log the end of a subject belongs; `null` for what is wider than one.
 * @throws Refused if there is no such subject: a mistyped one must not look revoked
 */
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
    const credential = await manager.findOneBy(Credential, { id: subject });
    if (credential !== null) return credential.tenantId;
  }
  throw new Refused(`There is no ${subject} that could be revoked.`);
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
