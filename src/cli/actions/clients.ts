import type { EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../../audit/index.js';
import {
  type Client,
  type ClientPosition,
  createClientStore,
  isPublicClientId,
  type ListedClient,
} from '../../clients/index.js';
import { createAppConnections } from '../../grants/index.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';
import { pageOf, type OpenList } from '../listing.js';
import { getTenant } from './tenants.js';

/** Blocking tenants that are shown with a client. */
const MAX_TENANTS = 1000;

interface ClientValues {
  readonly id: string;
}

export async function listClients({
  manager,
}: CommandContext): Promise<OpenList<ListedClient, ClientPosition>> {
  const store = createClientStore(manager);
  return {
    async read({ limit, after }) {
      const found = await store.list({ limit: limit + 1, after });
      return pageOf(found, limit, ({ id, position }) => ({ createdAt: position, id }));
    },
    present,
  };
}

export async function showClient({ manager }: CommandContext, values: ClientValues) {
  return presentDetails(manager, await clientOf(manager, values));
}

export async function revokeClient(
  { manager }: CommandContext,
  values: ClientValues & { readonly reason: string | undefined },
) {
  const client = await clientOf(manager, values);
  const reason = values.reason ?? null;
  await connectionsOf(manager).endOfClient(OPERATOR, client, null, reason);
  return { ...present(client), revoked: true, reason };
}

/** Blocks or unblocks a client, in one tenant or in all. Only a change leaves a trace. */
export async function setBlocked(
  { manager }: CommandContext,
  values: ClientValues & {
    readonly tenant: string | undefined;
    readonly reason?: string | undefined;
  },
  isBlocked: boolean,
) {
  const { tenant, reason = null } = values;
  const { id } = await clientOf(manager, values);
  const tenantId = tenant === undefined ? null : (await getTenant(manager, tenant)).id;
  const block = { clientId: id, tenantId };
  await connectionsOf(manager).setBlocked(OPERATOR, block, isBlocked, reason);
  return presentDetails(manager, await clientOf(manager, values));
}

/** Vouches for a client, or takes that back. Only a change leaves a trace. */
export async function setVerified(
  { manager }: CommandContext,
  values: ClientValues,
  isVerified: boolean,
) {
  const { id, name } = await clientOf(manager, values);
  if (await createClientStore(manager).setVerified(id, isVerified)) {
    await createAuditLog(manager).record(OPERATOR, {
      tenantId: null,
      action: isVerified ? 'client.verify' : 'client.unverify',
      subject: id,
      details: { name },
    });
  }
  return presentDetails(manager, await clientOf(manager, values));
}

/** Requires a client to push its authorization requests, or no longer. Only a change leaves a trace. */
export async function setRequiresPushedRequests(
  { manager }: CommandContext,
  values: ClientValues,
  isRequired: boolean,
) {
  const { id, name } = await clientOf(manager, values);
  if (await createClientStore(manager).setRequiresPushedRequests(id, isRequired)) {
    await createAuditLog(manager).record(OPERATOR, {
      tenantId: null,
      action: isRequired ? 'client.require_par' : 'client.unrequire_par',
      subject: id,
      details: { name },
    });
  }
  return presentDetails(manager, await clientOf(manager, values));
}

function connectionsOf(manager: EntityManager) {
  return createAppConnections(manager, createClientStore(manager));
}

/** @throws Refused if there is no such client */
async function clientOf(manager: EntityManager, { id }: ClientValues): Promise<Client> {
  const client = await createClientStore(manager).find(id);
  if (client === undefined) throw new Refused(`There is no client ${id}.`);
  return client;
}

function present({ id, name, isVerified, blockedAt, createdAt }: Omit<ListedClient, 'position'>) {
  const type = isPublicClientId(id) ? 'public' : 'confidential';
  const status = blockedAt === null ? 'active' : 'blocked';
  return { id, name, type, status, verified: isVerified, createdAt };
}

async function presentDetails(manager: EntityManager, client: Client) {
  return {
    ...present(client),
    requiresPushedRequests: client.requiresPushedRequests,
    blockedAt: client.blockedAt,
    blockedInTenants: await createClientStore(manager).listBlockingTenants(client.id, {
      limit: MAX_TENANTS,
    }),
    metadata: client.metadata,
  };
}
