import type { Caller } from '../http/idempotency/idempotency.js';
import type { RequestFacts } from '../http/request-facts.js';
import type { Scope } from '../scopes/catalog.js';
import type { Role } from '../scopes/roles.js';
import type { Environment, KeyKind, Kind, PrincipalKind } from './kinds.js';

/** A resource to which an agent is bound: its type, such as `contacts`, and its id. */
export interface Binding {
  readonly type: string;
  readonly id: string;
}

/** The principal of a verified credential, and its authority. */
export interface Principal {
  readonly credentialId: string;
  readonly credentialName: string;
  readonly kind: Kind;
  readonly tenantId: string;
  readonly environment: Environment;
  /** In the catalogue's order. */
  readonly scopes: readonly Scope[];
  /** The spaces it may enter; `null` for all of the tenant's. */
  readonly spaces: readonly string[] | null;
  /** The networks it may be used from; `null` for anywhere. */
  readonly allowedIps: readonly string[] | null;
  /** The resources that it is bound to; `null` if it is unbound. */
  readonly bindings: readonly Binding[] | null;
  readonly principalKind: PrincipalKind;
  /** The id of the tenant, account or machine. */
  readonly principalId: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** Milliseconds since the epoch; `null` if it does not expire. */
  readonly expiresAt: number | null;
  /** Requests a minute: `null` is the default, 0 is unlimited. */
  readonly rateLimitPerMinute: number | null;
  /**
   * The thumbprint (RFC 7638) of the key that it is bound to; `null` if it is unbound. A bound credential is valid only
   * with a proof of possession (RFC 9449).
   */
  readonly proofKey: string | null;
  /** Where the verdict comes from, for services that keep it. */
  readonly origin: Origin;
  /** Ids and metadata that the operator's other systems gave. `key` is that of the key that is used. */
  readonly annotations: { readonly tenant: Annotated; readonly key: Annotated };
  /** Further facts of an OAuth access token; `undefined` for keys. */
  readonly token: TokenFacts | undefined;
  /** The key that an access token was issued for; `undefined` for keys, and for tokens of users. */
  readonly exchanged: ExchangedFacts | undefined;
}

/** The external id of a row, and its metadata as JSON text: empty for none. */
export interface Annotated {
  readonly externalId: string | null;
  readonly metadata: string;
}

export const UNANNOTATED: Annotated = { externalId: null, metadata: '' };

/** The origin and audience of an access token that was issued for a key. */
export interface ExchangedFacts {
  readonly keyId: string;
  readonly keyName: string;
  readonly keyKind: KeyKind;
  readonly audience: string;
  /** The resource server whose audience that is; `undefined` for this server's own resources. */
  readonly serverId: string | undefined;
}

/** The id of the key that is used, by itself or by a token that was issued for it. */
export function keyIdOf({
  credentialId,
  exchanged,
}: Pick<Principal, 'credentialId' | 'exchanged'>): string {
  return exchanged?.keyId ?? credentialId;
}

/** The state that a verdict depends on. */
export interface Origin {
  /** The ids of the subjects whose revocation ends the credential, separated by spaces. */
  readonly subjects: string;
  /** Everything committed before this transaction id was seen. */
  readonly position: string;
}

/** The origin and audience of an access token. */
export interface TokenFacts {
  readonly clientId: string;
  readonly clientName: string;
  readonly grantId: string;
  /** The user's current role in the tenant, which limits the scopes. */
  readonly role: Role;
  /** The resource for which it was issued (RFC 8707). */
  readonly audience: string;
  /** The resource server whose audience that is; `undefined` for this server's own resources. */
  readonly serverId: string | undefined;
}

/** The ids by which the log names a principal. */
export function requestFactsOf(principal: Principal): RequestFacts {
  const { tenantId, credentialId, kind, principalKind, principalId, token } = principal;
  return {
    tenantId,
    credentialId,
    kind,
    clientId: token?.clientId,
    accountId: principalKind === 'user' ? principalId : undefined,
    grantId: token?.grantId,
  };
}

/** The caller to whom idempotency keys belong. */
export function idempotencyCallerOf(principal: Principal): Caller {
  const { tenantId, principalId, environment, spaces, token } = principal;
  // Access tokens change every hour, so the client or the key identifies the caller.
  const presenter = token?.clientId ?? keyIdOf(principal);
  return {
    scope: tenantId,
    identity: [principalId, presenter, environment, ...(spaces ?? [])],
  };
}

/**
 * Whether the bindings of a principal admit a request. A bound principal reaches only the resources that it is
 * bound to, and no list of them.
 *
 * @param resource the type in `Binding.type`; `undefined` for routes of resources that cannot be bound to
 * @param id the resource that the request names; `undefined` for a list
 */
export function reachesBoundResource(
  { bindings }: Principal,
  resource: string | undefined,
  id: string | undefined,
): boolean {
  if (bindings === null || resource === undefined) return true;
  return bindings.some((binding) => binding.type === resource && binding.id === id);
}
