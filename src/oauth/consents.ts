import type { AccountMembership } from '../accounts/account-store.js';
import type { Actor, AuditLog } from '../audit/audit-log.js';
import type { ConsentStore } from '../grants/consent-store.js';
import type { GrantStore, StoredGrant } from '../grants/grant-store.js';
import { CATALOG, type Scope } from '../scopes/catalog.js';
import { delegableThroughOauth, type Role } from '../scopes/roles.js';
import { commonTo, missingFrom } from '../scopes/scope-set.js';

/** A tenant in whose name a user can authorize. */
export interface TenantChoice {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

interface Who {
  readonly accountId: string;
  readonly clientId: string;
}

/** What is asked of a user, for one tenant. */
export interface ConsentRequest extends Who {
  readonly tenant: TenantChoice;
  /** What the client asks for, in the catalogue's order. */
  readonly scopes: readonly Scope[];
  readonly resources: readonly string[];
  readonly redirectUri: string;
}

/** The stores that consent is kept with, over one transaction. */
export interface ConsentStores {
  readonly grants: GrantStore;
  readonly consents: ConsentStore;
  readonly audit: AuditLog;
  readonly memberships: (accountId: string) => Promise<readonly AccountMembership[]>;
  /** The tenants that refuse a client. */
  readonly blockedIn: (clientId: string) => Promise<readonly string[]>;
}

/** A user's consent, and the grants that come of it. */
export type Consents = ReturnType<typeof createConsents>;

export function createConsents({
  transaction,
}: {
  transaction: <Result>(work: (stores: ConsentStores) => Promise<Result>) => Promise<Result>;
}) {
  /** Every authorization begins a grant of its own, so that ending one installation ends no other. */
  async function createGrant(
    { grants, audit }: ConsentStores,
    actor: Actor,
    request: ConsentRequest,
    scopes: readonly Scope[],
  ): Promise<StoredGrant | undefined> {
    const { accountId, clientId, tenant, resources, redirectUri } = request;
    const fields = { accountId, clientId, tenantId: tenant.id, scopes, resources, redirectUri };
    const id = await grants.create(fields);
    if (id === undefined) return undefined;
    await audit.record(actor, {
      tenantId: tenant.id,
      action: 'grant.create',
      subject: id,
      details: { clientId, scopes },
    });
    return grants.find(tenant.id, id);
  }

  return {
    /** The tenants that an account can authorize a client in, and how many more it could if they weren't suspended. */
    tenantsFor: ({ accountId, clientId }: Who) =>
      transaction(async ({ memberships, blockedIn }) => {
        const blocked = await blockedIn(clientId);
        const all = (await memberships(accountId)).filter(
          ({ tenantId }) => !blocked.includes(tenantId),
        );
        const usable: readonly TenantChoice[] = all
          .filter(({ isTenantSuspended }) => !isTenantSuspended)
          .map(({ tenantId, tenantName, role }) => ({ id: tenantId, name: tenantName, role }));
        return { usable, suspended: all.length - usable.length };
      }),

    findGrant: (tenantId: string, id: string) =>
      transaction(async ({ grants }) => {
        const grant = await grants.find(tenantId, id);
        return grant?.status === 'active' ? grant : undefined;
      }),

    /**
     * A new grant without asking, if everything that can be granted of the request was granted before. A scope
     * that was unticked then is asked for again: the app may have explained why it needs it.
     */
    grantAsRemembered: (request: ConsentRequest) =>
      transaction(async (stores) => {
        const { accountId, clientId, tenant } = request;
        const known = await stores.consents.find({ accountId, clientId, tenantId: tenant.id });
        const offer = offeredScopes(request);
        const missing = missingFrom((known?.granted ?? []) as Scope[], offer);
        if (offer.length === 0 || missing.length > 0) return undefined;
        const actor = { id: accountId, address: null, requestId: null };
        return createGrant(stores, actor, request, offer);
      }),

    /**
     * What the user decided on the consent page.
     * @param ticked the scopes that were left ticked; those that were not offered are ignored, and those of
     *   identity are not asked
     * @returns `undefined` if nothing is left to be granted, or may not be
     */
    grant: (request: ConsentRequest, ticked: readonly string[], actor: Actor) =>
      transaction(async (stores) => {
        const { accountId, clientId, tenant } = request;
        const offered = offeredScopes(request);
        const granted = offered.filter((scope) => isIdentity(scope) || ticked.includes(scope));
        if (granted.length === 0) return undefined;
        const grant = await createGrant(stores, actor, request, granted);
        if (grant !== undefined) {
          await stores.consents.remember(
            { accountId, clientId, tenantId: tenant.id },
            { offered, granted },
          );
        }
        return grant;
      }),
  };
}

/** What of a request the user can grant at all. */
export function offeredScopes({ scopes, tenant }: ConsentRequest): readonly Scope[] {
  return commonTo(scopes, delegableThroughOauth(tenant.role));
}

/** Whether a scope is for OpenID Connect only. Such a scope shows an app nothing that userinfo does not. */
export function isIdentity(scope: Scope): boolean {
  return CATALOG[scope].grantedTo === 'oauth';
}
