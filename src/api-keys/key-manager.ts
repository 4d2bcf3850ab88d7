import type { Actor } from '../audit/audit-log.js';
import type { CredentialStore } from '../credentials/credential-store.js';
import { KEY_KINDS, TENANT_KINDS, type KeyKind } from '../credentials/kinds.js';
import { Problem } from '../http/problem.js';
import { delegableBy } from '../scopes/roles.js';
import type { Reach } from './ceiling.js';

/**
 * Who manages keys: the operator, whom nothing limits; the holder of a credential; or an account,
 * which manages the personal tokens that speak for it.
 */
export interface KeyManager {
  readonly actor: Actor;
  readonly tenantId: string;
  /** Absent for the operator and for accounts. */
  readonly credentialId?: string;
  /** Where the credential acts, which may be narrower than it is: see `pairing.ts`. */
  readonly acting?: Pick<Reach, 'environment' | 'spaces'>;
  /** Absent for the operator and for credentials. */
  readonly accountId?: string;
  /** In which the account has signed in. */
  readonly sessionId?: string;
}

/** How far a manager reaches, and what would end that. */
export interface Ceiling extends Reach {
  readonly subjects: readonly string[];
}

/** The kinds that somebody manages. */
export function managedKinds({
  accountId,
  credentialId,
}: Pick<KeyManager, 'accountId' | 'credentialId'>): readonly KeyKind[] {
  if (accountId !== undefined) return KEY_KINDS.filter((kind) => !TENANT_KINDS.includes(kind));
  return credentialId === undefined ? KEY_KINDS : TENANT_KINDS;
}

/** What ends with a membership, an account or a tenant. */
export function subjectsOfMember(tenantId: string, accountId: string): readonly string[] {
  return [`${accountId}@${tenantId}`, accountId, tenantId];
}

/**
 * How far a manager reaches as it is now, not as it was when the request came in.
 *
 * @returns `undefined` for the operator
 * @throws Problem `unauthorized` or `forbidden` if there is nothing left of it
 */
export async function ceilingOf(
  store: CredentialStore,
  { tenantId, credentialId, acting, accountId, sessionId = '' }: KeyManager,
): Promise<Ceiling | undefined> {
  if (accountId !== undefined) {
    if (!(await store.isSignedIn(accountId, sessionId))) {
      throw new Problem('unauthorized', 'You are not signed in any more.');
    }
    const role = await store.roleOf(tenantId, accountId);
    if (role === undefined) throw new Problem('forbidden', 'You are no member of this tenant.');
    return {
      ...{ kind: 'personal', environment: 'live', scopes: delegableBy(role) },
      ...{ spaces: null, allowedIps: null, expiresAt: null, rateLimitPerMinute: null },
      subjects: subjectsOfMember(tenantId, accountId),
    };
  }
  if (credentialId === undefined) return undefined;
  const caller = await store.find(tenantId, credentialId);
  if (caller?.status === 'active') return { ...caller, ...acting };
  throw new Problem('unauthorized', 'The credential is not valid any more.');
}
