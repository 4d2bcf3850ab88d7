import type { AccountMembership } from '../../accounts/index.js';
import type { Actor, AuditLog } from '../../audit/index.js';
import type {
  ConsentStore,
  GrantStore,
  RememberedConsent,
  StoredGrant,
} from '../../grants/index.js';
import type { TargetServer } from '../../resource-servers/index.js';
import { scopeFacts, type Scope } from '../../scopes/catalog.js';
import { delegableThroughOauth, type Role } from '../../scopes/roles.js';
import { commonTo, missingFrom } from '../../scopes/scope-set.js';

/** A tenant in which a user can authorize a client. */
export interface TenantChoice {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

interface UserAndClient {
  readonly accountId: string;
  readonly clientId: string;
}

/** A request for a user's consent in one tenant. */
export interface ConsentRequest extends UserAndClient {
  readonly tenant: TenantChoice;
  /** The requested scopes, in the catalogue's order. */
  readonly scopes: readonly Scope[];
  readonly resources: readonly string[];
  /** The resource servers among the resources. The others are this server's own. */
  readonly servers: readonly TargetServer[];
  readonly redirectUri: string;
}

/** The stores that consent uses, in one transaction. */
export interface ConsentStores {
  readonly grants: GrantStore;
  readonly consents: ConsentStore;
  readonly audit: AuditLog;
  /** Tells the user of the first grant to an app. */
  readonly notify: (grant: StoredGrant, tenantName: string) => Promise<void>;
  readonly memberships: (
    accountId: string,
    named?: string,
  ) => Promise<readonly AccountMembership[]>;
  /** The tenants among these that block a client. */
  readonly blockedIn: (
    clientId: string,
    tenantIds: readonly string[],
  ) => Promise<readonly string[]>;
}

/** Users' consent, and the grants created from it. */
export type Consents = ReturnType<typeof createConsents>;

export function createConsents({
  transaction,
}: {
  transaction: <Result>(work: (stores: ConsentStores) => Promise<Result>) => Promise<Result>;
}) {
  return {
    /**
     * The tenants in which an account can authorize a client, and the number of suspended ones.
     * @param named the tenant that was chosen, untrusted
     */
    tenantsFor: ({ accountId, clientId }: UserAndClient, named?: string) =>
      transaction(async ({ memberships, blockedIn }) => {
        const own = await memberships(accountId, named);
        const ids = own.map(({ tenantId }) => tenantId);
        const blocked = await blockedIn(clientId, ids);
        const all = own.filter(({ tenantId }) => !blocked.includes(tenantId));
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
     * Creates a grant without asking, if every grantable scope of the request was granted before. A scope that was
     * unticked then is asked for again: the app may have explained why it needs it.
     */
    grantAsRemembered: (request: ConsentRequest) =>
      transaction(async (stores) => {
        const { accountId, clientId, tenant } = request;
        const known = await stores.consents.find({ accountId, clientId, tenantId: tenant.id });
        const offer = offeredScopes(request);
        const isNew = rememberedFor(request, known).some(
          (granted) => missingFrom(granted as Scope[], offer).length > 0,
        );
        if (offer.length === 0 || isNew) return undefined;
        const actor = { id: accountId, address: null, requestId: null };
        return createGrant(stores, actor, request, offer);
      }),

    /**
     * Creates a grant from the consent page's form, and remembers the decision.
     * @param ticked the ticked scopes; scopes that were not offered are ignored, and OpenID Connect's need no tick
     * @returns `undefined` if no scope is left, or the client or membership has ended
     */
    grant: (request: ConsentRequest, ticked: readonly string[], actor: Actor) =>
      transaction(async (stores) => {
        const { accountId, clientId, tenant } = request;
        const offered = offeredScopes(request);
        const granted = offered.filter((scope) => isIdentity(scope) || ticked.includes(scope));
        if (granted.length === 0) return undefined;
        const grant = await createGrant(stores, actor, request, granted);
        if (grant !== undefined) {
          const key = { accountId, clientId, tenantId: tenant.id };
          if ((await stores.consents.find(key)) === undefined) {
            await stores.notify(grant, tenant.name);
          }
          await stores.consents.remember(key, decisionAbout(request, offered, granted));
        }
        return grant;
      }),
  };
}

/** Every authorization creates its own grant, so that revoking one installation leaves the others alone. */
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

const isForItself = ({ resources, servers }: ConsentRequest) => resources.length > servers.length;

/** The scopes granted before for each requested resource: consent to one is not consent to another. */
function rememberedFor(
  request: ConsentRequest,
  known: RememberedConsent | undefined,
): readonly (readonly string[])[] {
  return [
    ...(isForItself(request) ? [known?.granted ?? []] : []),
    ...request.servers.map(({ id }) => known?.grantedToServers[id] ?? []),
  ];
}

function decisionAbout(
  request: ConsentRequest,
  offered: readonly string[],
  granted: readonly string[],
): RememberedConsent {
  const own = isForItself(request) ? { offered, granted } : { offered: [], granted: [] };
  const grantedToServers = Object.fromEntries(request.servers.map(({ id }) => [id, granted]));
  return { ...own, grantedToServers };
}

/** The requested scopes that the user's role can grant. */
export function offeredScopes({ scopes, tenant }: ConsentRequest): readonly Scope[] {
  return commonTo(scopes, delegableThroughOauth(tenant.role));
}

/** Whether a scope belongs to OpenID Connect. Such scopes show a client nothing beyond userinfo. */
export function isIdentity(scope: Scope): boolean {
  return scopeFacts(scope).grantedTo === 'oauth';
}
