import type { Actor } from '../audit/index.js';
import type { BlockedClient } from '../clients/index.js';
import type { AppConnections, FoundGrants, GrantFilter, ListedGrant } from '../grants/index.js';
import { Problem } from '../http/errors/problem.js';
import type { PageRequest } from '../http/pagination.js';
import { isAdministrator, type Role } from '../scopes/roles.js';
import type { Owner } from './schema.js';

/** A signed-in member who looks at apps or ends them. */
export interface AppUser {
  readonly accountId: string;
  readonly sessionId: string;
  readonly tenantId: string;
  readonly role: Role;
  readonly actor: Actor;
}

/** A client as its page shows it. */
export interface App {
  readonly id: string;
  readonly name: string;
  readonly isVerified: boolean;
  /** Claimed at registration, and not verified. */
  readonly website: string | undefined;
  readonly redirectUris: readonly string[];
  readonly isBlockedHere: boolean;
  readonly isBlockedEverywhere: boolean;
}

/** Stores of other features, in the manager's transaction. */
export interface AppStores {
  readonly connections: AppConnections;
  findGrants(filter: GrantFilter, page: PageRequest): Promise<FoundGrants>;
  /** An active grant of the tenant. */
  findGrant(tenantId: string, id: string): Promise<ListedGrant | undefined>;
  findClient(id: string): Promise<
    | {
        readonly id: string;
        readonly name: string;
        readonly isVerified: boolean;
        readonly blockedAt: Date | null;
        readonly metadata: {
          readonly client_uri?: string;
          readonly redirect_uris: readonly string[];
        };
      }
    | undefined
  >;
  isBlockedBy(tenantId: string, clientId: string): Promise<boolean>;
  listBlockedBy(tenantId: string, page: PageRequest): Promise<readonly BlockedClient[]>;
  /** The current role of an account whose session is valid. */
  currentRole(
    user: Pick<AppUser, 'accountId' | 'sessionId' | 'tenantId'>,
  ): Promise<Role | undefined>;
}

/**
 * Apps that members have connected. Every member sees and ends their own installations; administrators also those of
 * everybody in the organization. What is not visible is `not_found`. Changes need a transaction, and read the current
 * role there.
 */
export interface ConnectedApps {
  /**
   * Active installations, newest first, up to one more than asked for.
   * @throws Problem `forbidden` for those of the organization, unless the user is an administrator
   */
  list(
    user: AppUser,
    filter: { readonly of: Owner; readonly clientId?: string | undefined },
    page: PageRequest,
  ): Promise<FoundGrants>;
  /** The user's own installations in all of their organizations. */
  listEverywhere(user: Pick<AppUser, 'accountId'>, page: PageRequest): Promise<FoundGrants>;
  /** An active installation. */
  find(user: AppUser, id: string): Promise<ListedGrant>;
  /**
   * An app that has an installation which the user sees, or that is blocked here. Administrators see also an app whose
   * installations have ended, as long as they are kept.
   */
  describe(user: AppUser, clientId: string): Promise<App>;
  /** Ends one installation. */
  end(user: AppUser, id: string): Promise<ListedGrant>;
  /** Ends all of an app's installations: the user's own ones here, or everybody's in the organization. */
  disconnect(user: AppUser, clientId: string, of: Owner, reason: string | null): Promise<void>;
  /** Apps that the organization blocks, the last blocked first. */
  listBlocked(user: AppUser, page: PageRequest): Promise<readonly BlockedClient[]>;
  /** Ends all installations in the organization, and lets nobody there connect the app. */
  block(user: AppUser, clientId: string, reason: string | null): Promise<void>;
  unblock(user: AppUser, clientId: string): Promise<void>;
}

const ONE: PageRequest = { limit: 1, after: undefined };

export function createConnectedApps(stores: AppStores): ConnectedApps {
  const { connections } = stores;
  const { current, currentAdministrator, find, clientOf } = createChecks(stores);

  return {
    async list(user, { of, clientId }, page) {
      assertSees(user, of);
      return stores.findGrants(filterOf(user, of, clientId), page);
    },
    listEverywhere: ({ accountId }, page) => stores.findGrants({ accountId, isActive: true }, page),
    find,
    async describe(user, clientId) {
      const client = await clientOf(clientId);
      const { tenantId } = user;
      const isAdmin = isAdministrator(user.role);
      const isBlockedHere = await stores.isBlockedBy(tenantId, clientId);
      const filter = isAdmin ? { tenantId, clientId } : filterOf(user, 'me', clientId);
      const { found } = await stores.findGrants(filter, ONE);
      if (found.length === 0 && !(isAdmin && isBlockedHere)) {
        throw new Problem('not_found', 'App not found.');
      }
      return { ...describe(client), isBlockedHere };
    },
    async end(user, id) {
      const grant = await find(await current(user), id);
      await connections.end(user.actor, [grant], null);
      return grant;
    },
    async disconnect(user, clientId, of, reason) {
      const { accountId, tenantId, actor } = user;
      if (of === 'me') {
        await current(user);
        await clientOf(clientId);
        await connections.endOfAccount(actor, { accountId, tenantId, clientId }, reason);
        return;
      }
      await currentAdministrator(user);
      await connections.endOfClient(actor, await clientOf(clientId), tenantId, reason);
    },
    async listBlocked(user, page) {
      assertSees(user, 'organization');
      return stores.listBlockedBy(user.tenantId, page);
    },
    async block(user, clientId, reason) {
      const { actor, tenantId } = await currentAdministrator(user);
      await clientOf(clientId);
      await connections.setBlocked(actor, { clientId, tenantId }, true, reason);
    },
    async unblock(user, clientId) {
      const { actor, tenantId } = await currentAdministrator(user);
      if (await connections.setBlocked(actor, { clientId, tenantId }, false, null)) return;
      throw new Problem('not_found', 'The organization does not block this app.');
    },
  };
}

/** The checks of what a user may see and end. */
function createChecks(stores: AppStores) {
  /** The user with the role of this moment, which may have shrunk since the request arrived. */
  async function current(user: AppUser): Promise<AppUser> {
    const role = await stores.currentRole(user);
    if (role === undefined) throw new Problem('unauthorized', 'You are no longer signed in.');
    return { ...user, role };
  }

  async function currentAdministrator(user: AppUser): Promise<AppUser> {
    const now = await current(user);
    if (isAdministrator(now.role)) return now;
    throw new Problem('forbidden', 'Only administrators may do this.');
  }

  async function find(user: AppUser, id: string): Promise<ListedGrant> {
    const grant = await stores.findGrant(user.tenantId, id);
    if (grant && (grant.accountId === user.accountId || isAdministrator(user.role))) return grant;
    throw new Problem('not_found', 'Installation not found.');
  }

  async function clientOf(clientId: string) {
    const client = await stores.findClient(clientId);
    if (client === undefined) throw new Problem('not_found', 'App not found.');
    return client;
  }

  return { current, currentAdministrator, find, clientOf };
}

function assertSees({ role }: Pick<AppUser, 'role'>, of: Owner): void {
  if (of === 'me' || isAdministrator(role)) return;
  throw new Problem('forbidden', 'Only administrators see the apps of the whole organization.');
}

function describe({
  id,
  name,
  isVerified,
  blockedAt,
  metadata,
}: NonNullable<Awaited<ReturnType<AppStores['findClient']>>>) {
  return {
    id,
    name,
    isVerified,
    website: metadata.client_uri,
    redirectUris: metadata.redirect_uris,
    isBlockedEverywhere: blockedAt !== null,
  };
}

function filterOf(
  { accountId, tenantId }: AppUser,
  of: Owner,
  clientId: string | undefined,
): GrantFilter {
  return of === 'me'
    ? { accountId, tenantId, clientId, isActive: true }
    : { tenantId, clientId, isActive: true };
}
