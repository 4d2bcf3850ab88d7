import type { Actor } from '../audit/index.js';
import type { CredentialStore } from '../credentials/index.js';
import {
  factsOf,
  KEY_KINDS,
  reachableFrom,
  TENANT_KINDS,
  type Environment,
  type KeyKind,
} from '../credentials/kinds.js';
import { areWithin } from '../http/networks.js';
import { Problem } from '../http/errors/problem.js';
import type { Scope } from '../scopes/catalog.js';
import { delegableBy, isOverseer, type Role } from '../scopes/roles.js';
import { missingFrom } from '../scopes/scope-set.js';

/** The respects in which one credential can be wider than another. */
export interface Authority {
  readonly kind: KeyKind;
  readonly environment: Environment;
  readonly scopes: readonly Scope[];
  /** `null`: every space of the tenant. */
  readonly spaces: readonly string[] | null;
  /** `null`: every address. */
  readonly allowedIps: readonly string[] | null;
  /** `null`: never expires. */
  readonly expiresAt: Date | null;
  /** `null`: the operator's default; 0: unlimited. */
  readonly rateLimitPerMinute: number | null;
  /** The thumbprint of the key that it is bound to (RFC 9449); absent or `null` if it is unbound. */
  readonly proofKey?: string | null;
}

/** The current authority of a manager, and the subjects whose revocation would end it. */
export interface HeldAuthority extends Authority {
  readonly subjects: readonly string[];
}

/**
 * The manager of keys: the operator, without limits; the holder of a credential; an account, for its own personal tokens;
 * or a member, whose role manages the keys of the tenant.
 */
export interface KeyManager {
  readonly actor: Actor;
  readonly tenantId: string;
  /** Absent for the operator and for accounts. */
  readonly credentialId?: string;
  /** Where the credential acts, which may be narrower than it is: see `key-beside-token.ts`. */
  readonly acting?: Pick<Authority, 'environment' | 'spaces'>;
  /** Absent for the operator and for credentials. */
  readonly accountId?: string;
  /** The account's session. */
  readonly sessionId?: string;
  /** Whether the account manages the tenant's keys by its role, and not its own tokens. */
  readonly isForTenant?: boolean;
}

/** The scope that managers of a tenant's keys need. */
export const MANAGE_KEYS: Scope = 'api_keys:manage';

/** Whether a role manages the keys of its tenant. */
export function managesKeys(role: Role): boolean {
  return delegableBy(role).includes(MANAGE_KEYS);
}

/** The kinds of the tenant's keys that members see without managing them. */
const SEEN = {
  byOverseers: ['publishable', 'secret', 'service', 'agent'],
  byOthers: ['publishable'],
} as const satisfies Record<string, readonly KeyKind[]>;

/** The kinds of keys that a role sees in the lists of the console. */
export function visibleKinds(role: Role): readonly KeyKind[] {
  if (managesKeys(role)) return TENANT_KINDS;
  return isOverseer(role) ? SEEN.byOverseers : SEEN.byOthers;
}

/** The account whose own tokens are managed; `undefined` for managers of a tenant's keys. */
export function ownerOf({ accountId, isForTenant }: KeyManager): string | undefined {
  return isForTenant === true ? undefined : accountId;
}

/** The kinds that a manager manages. */
export function managedKinds({
  accountId,
  credentialId,
  isForTenant,
}: Pick<KeyManager, 'accountId' | 'credentialId' | 'isForTenant'>): readonly KeyKind[] {
  if (isForTenant === true) return TENANT_KINDS;
  if (accountId !== undefined) return KEY_KINDS.filter((kind) => !TENANT_KINDS.includes(kind));
  return credentialId === undefined ? KEY_KINDS : TENANT_KINDS;
}

/** The subjects of a member: membership, account and tenant. */
export function subjectsOfMember(tenantId: string, accountId: string): readonly string[] {
  return [`${accountId}@${tenantId}`, accountId, tenantId];
}

/**
 * Reads the current authority of a manager, which may have shrunk since the request was received.
 *
 * @returns `undefined` for the operator
 * @throws Problem `unauthorized` or `forbidden` if it has ended
 */
export async function authorityOf(
  store: CredentialStore,
  { tenantId, credentialId, acting, accountId, sessionId = '', isForTenant }: KeyManager,
): Promise<HeldAuthority | undefined> {
  if (accountId !== undefined) {
    if (!(await store.isSignedIn(accountId, sessionId))) {
      throw new Problem('unauthorized', 'You are no longer signed in.');
    }
    const role = await store.roleOf(tenantId, accountId);
    if (role === undefined) {
      throw new Problem('forbidden', 'You are not a member of this tenant.');
    }
    if (isForTenant === true && !managesKeys(role)) {
      throw new Problem('scope_insufficient', `Your role lacks ${MANAGE_KEYS}.`, {
        requiredScopes: [MANAGE_KEYS],
      });
    }
    return {
      kind: 'personal',
      environment: 'live',
      scopes: delegableBy(role),
      spaces: null,
      allowedIps: null,
      expiresAt: null,
      rateLimitPerMinute: null,
      subjects: subjectsOfMember(tenantId, accountId),
    };
  }
  if (credentialId === undefined) return undefined;
  const caller = await store.find(tenantId, credentialId);
  if (caller?.status === 'active') return { ...caller, ...acting };
  throw new Problem('unauthorized', 'The credential is no longer valid.');
}

/** The scopes that its holder can put on other credentials. */
export function grantableScopes({ kind, scopes }: Pick<Authority, 'kind' | 'scopes'>) {
  return factsOf(kind).grantableScopes ?? scopes;
}

/** Whether a credential is within the environment and the spaces of a manager. Others are not found. */
export function liesWithin(
  target: Pick<Authority, 'environment' | 'spaces'>,
  authority: Pick<Authority, 'environment' | 'spaces'>,
): boolean {
  return (
    reachableFrom(authority.environment).includes(target.environment) &&
    isWithin(target.spaces, authority.spaces, isSubset)
  );
}

/**
 * The respects in which a credential is wider than the authority that creates, alters or ends it.
 *
 * @param defaultLimit requests per minute for `null`; 0 for unlimited
 * @returns one phrase for each; empty if it is within the authority
 */
export function exceeded(
  target: Authority,
  authority: Authority,
  defaultLimit: number,
): readonly string[] {
  const { scopes: own, kind } = target;
  // Its holder also has the scopes that it can put on other credentials.
  const wanted = [...own, ...(factsOf(kind).grantableScopes ?? [])];
  const scopes = missingFrom(grantableScopes(authority), wanted);
  const limitOf = ({ rateLimitPerMinute }: Authority) => {
    const limit = rateLimitPerMinute ?? defaultLimit;
    return limit === 0 ? null : limit;
  };
  return [
    ...(scopes.length > 0 ? [`scopes (${scopes.join(' ')})`] : []),
    ...(reachableFrom(authority.environment).includes(target.environment) ? [] : ['environment']),
    ...(isWithin(target.spaces, authority.spaces, isSubset) ? [] : ['spaces']),
    ...(isWithin(target.allowedIps, authority.allowedIps, areWithin) ? [] : ['addresses']),
    ...(isWithin(target.expiresAt, authority.expiresAt, (a, b) => a <= b) ? [] : ['expiry']),
    ...(isWithin(limitOf(target), limitOf(authority), (a, b) => a <= b) ? [] : ['rate limit']),
    ...(isWithin(target.proofKey ?? null, authority.proofKey ?? null, (a, b) => a === b)
      ? []
      : ['key binding']),
  ];
}

/** `null` means no restriction: only another `null` contains it. */
function isWithin<Value>(
  inner: Value | null,
  outer: Value | null,
  compare: (inner: Value, outer: Value) => boolean,
): boolean {
  return outer === null || (inner !== null && compare(inner, outer));
}

function isSubset(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((item) => outer.includes(item));
}
