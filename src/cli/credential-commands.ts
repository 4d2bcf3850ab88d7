import type { EntityManager } from 'typeorm';

import { Account } from '../accounts/account.entity.js';
import { Membership } from '../accounts/membership.entity.js';
import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { createClientStore } from '../clients/client-store.js';
import { Credential } from '../credentials/store/credential.entity.js';
import { createRevocationStore } from '../credentials/revocation/revocation-store.js';
import { countSecretKeyUsage } from '../credentials/secrets/secret-key-usage.js';
import { createGrantStore } from '../grants/grant-store.js';
import { createTenantStore } from '../tenants/tenant-store.js';
import { Tenant } from '../tenants/tenant.entity.js';
import { Misuse, Refused, type Command } from './command.js';
import { revokeIssuedBefore } from './recovery-commands.js';

export const CREDENTIAL_COMMANDS: readonly Command[] = [
  {
    name: 'revoke',
    usage: '<subject> | --issued-before TIME, [--reason TEXT]',
    summary:
      'Ends everything issued before a time, or a key (key_…), a grant (grt_…), or everything issued so far to a tenant (tnt_…), an account (usr_…), a membership (usr_…@tnt_…), or through a client (cli_…, cli_…@tnt_…).',
    options: { reason: { type: 'string' }, 'issued-before': { type: 'string' } },
    positionals: [0, 1],
    schema: 'any',
    question: (args) => {
      const time = args.option('issued-before');
      return time === undefined
        ? `Revoke ${args.positionals[0] ?? ''} and everything issued under it so far? None of it ever works again.`
        : `Revoke every key, grant, token and session issued before ${time}? None of it ever works again.`;
    },
    async run({ manager }, args) {
      const [subject] = args.positionals;
      if ((subject === undefined) === (args.option('issued-before') === undefined)) {
        throw new Misuse('Name a subject or --issued-before, one of them.');
      }
      if (subject === undefined) return revokeIssuedBefore(manager, args);
      const reason = args.option('reason') ?? null;
      const tenantId = await tenantOfSubject(manager, subject);
      await createRevocationStore(manager).revoke(subject, OPERATOR.id, reason);
      await createAuditLog(manager).record(OPERATOR, {
        tenantId,
        action: 'subject.revoke',
        subject,
        details: { reason },
      });
      return { subject, revoked: true, reason };
    },
  },
  {
    name: 'secret-keys status',
    usage: '',
    summary: 'Counts what still depends on each of the SECRET_KEYS.',
    options: {},
    positionals: [0, 0],
    run: ({ dataSource, keyring }) => countSecretKeyUsage(dataSource, keyring),
  },
];

/**
 * The tenant in whose audit log the end of a subject belongs; `null` for what is wider than one.
 * @throws Refused if there is no such subject: a mistyped one must not look revoked
 */
async function tenantOfSubject(manager: EntityManager, subject: string): Promise<string | null> {
  const [subjectId = '', tenantId, ...more] = subject.split('@');
  if (tenantId !== undefined) {
    if (more.length === 0 && (await isWithinTenant(manager, subjectId, tenantId))) return tenantId;
  } else if (subject.startsWith('cli_')) {
    if (await isClient(manager, subject)) return null;
  } else if (subject.startsWith('tnt_')) {
    const tenant = await createTenantStore(manager).find(subject);
    if (tenant !== undefined) return tenant.id;
  } else if (subject.startsWith('grt_')) {
    const grant = await createGrantStore(manager).findAnywhere(subject);
    if (grant !== undefined) return grant.tenantId;
  } else if (subject.startsWith('usr_')) {
    if (await manager.existsBy(Account, { id: subject })) return null;
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
  if (!id.startsWith('cli_')) return manager.existsBy(Membership, { accountId: id, tenantId });
  return (await isClient(manager, id)) && (await manager.existsBy(Tenant, { id: tenantId }));
}

async function isClient(manager: EntityManager, id: string): Promise<boolean> {
  return (await createClientStore(manager).find(id)) !== undefined;
}
