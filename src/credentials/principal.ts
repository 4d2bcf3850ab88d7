import type { Scope } from '../scopes/catalog.js';
import type { Environment, Kind, PrincipalKind } from './kinds.js';

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
  readonly principalKind: PrincipalKind;
  /** The tenant's, account's or machine's own id. */
  readonly principalId: string;
}
