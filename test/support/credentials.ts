import { createCredentialStore } from '../../src/credentials/credential-store.js';
import { KINDS, type Environment, type KeyKind } from '../../src/credentials/kinds.js';
import { createRevocationStore } from '../../src/credentials/revocation-store.js';
import { createId } from '../../src/db/id.js';
import type { Scope } from '../../src/scopes/catalog.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestApp, TestKey } from './app.js';

/** A credential of a kind that nothing makes yet: the kernel judges all kinds alike. */
export function createCredential(
  { dataSource, keyring, format }: TestApp,
  tenant: Tenant,
  kind: KeyKind,
  scopes: readonly Scope[],
  environment: Environment = 'live',
): Promise<TestKey> {
  return dataSource.transaction(async (manager) => {
    const id = createId('key');
    const secret = format.mint(KINDS[kind].prefix[environment]);
    const { digest, keyId } = keyring.digest(secret);
    const subjects = [id, tenant.id];
    await createCredentialStore(manager).insert({
      ...{ id, kind, environment, digest, subjects },
      name: `A ${kind} credential`,
      tenantId: tenant.id,
      scopes: [...scopes],
      principalKind: KINDS[kind].principal,
      principalId: tenant.id,
      ...{ spaces: null, bindings: null, parentId: null, replaces: null, allowedIps: null },
      ...{ expiresAt: null, rateLimitPerMinute: null, ciphertext: null, ciphertextKeyId: null },
      digestKeyId: keyId,
      maskedKey: format.mask(secret),
      issueSeq: await createRevocationStore(manager).drawIssueOrder(subjects),
      createdBy: 'test',
    });
    return { id, secret, bearer: { Authorization: `Bearer ${secret}` } };
  });
}
