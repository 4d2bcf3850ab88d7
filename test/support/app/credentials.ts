import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../../../src/accounts/account-store.js';
import { createCredentialStore } from '../../../src/credentials/store/credential-store.js';
import { KINDS, type Environment, type KeyKind } from '../../../src/credentials/kinds.js';
import { createRevocationStore } from '../../../src/credentials/revocation/revocation-store.js';
import { createId } from '../../../src/db/id.js';
import { isScope } from '../../../src/scopes/catalog.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { testServer } from '../database/database.js';
import type { TestApp, TestKey } from './app.js';

/**
 * A credential of any kind, whatever may be made through the API: the kernel judges all kinds alike. A personal
 * one is a new administrator's.
 */
export function createCredential(
  { dataSource, keyring, format }: TestApp,
  tenant: Tenant,
  kind: KeyKind,
  scopes: readonly string[],
  environment: Environment = 'live',
): Promise<TestKey & { readonly principalId: string }> {
  return dataSource.transaction(async (manager) => {
    const id = createId('key');
    const secret = format.mint(KINDS[kind].prefix[environment]);
    const { digest, keyId } = keyring.digest(secret);
    const principalId =
      KINDS[kind].speaksAs === 'account' ? await createMember(manager, tenant) : tenant.id;
    const member = principalId === tenant.id ? [] : [`${principalId}@${tenant.id}`, principalId];
    const subjects = [id, ...member, tenant.id];
    await createCredentialStore(manager).insert({
      id,
      kind,
      environment,
      digest,
      subjects,
      name: `A ${kind} credential`,
      tenantId: tenant.id,
      scopes: scopes.filter(isScope),
      principalKind: KINDS[kind].principal,
      principalId,
      spaces: null,
      bindings: null,
      parentId: null,
      replaces: null,
      allowedIps: null,
      importedPrefix: null,
      importedPattern: null,
      expiresAt: null,
      rateLimitPerMinute: null,
      ciphertext: null,
      ciphertextKeyId: null,
      digestKeyId: keyId,
      maskedKey: format.mask(secret),
      issueSeq: await createRevocationStore(manager).drawIssueOrder(subjects),
      createdBy: 'test',
    });
    return { id, principalId, secret, bearer: { Authorization: `Bearer ${secret}` } };
  });
}

async function createMember(manager: EntityManager, { id }: Tenant): Promise<string> {
  const accounts = createAccountStore(manager);
  const email = `${randomUUID()}@example.com`;
  const accountId = createId('usr');
  await manager.query('INSERT INTO accounts (id, email, password_hash) VALUES ($1, $2, $3)', [
    accountId,
    email,
    testServer().passwordHash,
  ]);
  await accounts.join(id, accountId, 'company_admin');
  return accountId;
}
