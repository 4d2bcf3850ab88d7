import type { RequestFacts } from '../http/request-facts.js';
import type { Scope } from '../scopes/catalog.js';
import type { Role } from '../scopes/roles.js';
import type { Environment, Kind, PrincipalKind } from './kinds.js';

/** One thing that an agent is tied to: its type, such as `contacts`, and its id. */
export interface Binding {
  readonly type: string;
  readonly id: string;
}

/** Who a verified credential speaks for, and what it may do. */
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
  /** What it is tied to; `null` for nothing in particular. */
  readonly bindings: readonly Binding[] | null;
  readonly principalKind: PrincipalKind;
  /** The tenant's, account's or machine's own id. */
  readonly principalId: string;
  /** Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** Milliseconds since the epoch; `null` if it does not expire. */
  readonly expiresAt: number | null;
  /** Requests a minute: `null` for as many as keys have by default, 0 for any number. */
  readonly rateLimitPerMinute: number | null;
  /** What an OAuth access token has beyond that; keys have none. */
  readonly token: TokenFacts | undefined;
}

/** How an access token came about, and for whom it is. */
export interface TokenFacts {
  readonly clientId: string;
  readonly clientName: string;
  readonly grantId: string;
  /** The user's role in the tenant, as it is now; the scopes are cut to it. */
  readonly role: Role;
  /** The resource that it is for (RFC 8707). */
  readonly audience: string;
}

/** The ids by which the log names a principal. */
export function factsOf(principal: Principal): RequestFacts {
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
