import type { EntityManager } from 'typeorm';

import { OPERATOR } from '../../audit/index.js';
import {
  type Client,
  type ClientPosition,
  createClientAdministration,
  createClientStore,
  type ListedClient,
  presentClient,
} from '../../clients/index.js';
import { createAppConnections } from '../../grants/index.js';
import type { CommandContext } from '../command.js';
import { pageOf, type OpenList } from '../listing.js';
import { getTenant } from './tenants.js';

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
    present: presentClient,
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
  return { ...presentClient(client), revoked: true, reason };
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
  { id }: ClientValues,
  isVerified: boolean,
) {
  const clients = createClientAdministration(manager);
  await clients.setVerified(OPERATOR, id, isVerified);
  return clients.describe(await clients.find(id));
}

/** Requires a client to push its authorization requests, or no longer. Only a change leaves a trace. */
export async function setRequiresPushedRequests(
  { manager }: CommandContext,
  { id }: ClientValues,
  isRequired: boolean,
) {
  const clients = createClientAdministration(manager);
  await clients.setRequiresPushedRequests(OPERATOR, id, isRequired);
  return clients.describe(await clients.find(id));
}

function connectionsOf(manager: EntityManager) {
  return createAppConnections(manager, createClientStore(manager));
}

/** @throws Problem `not_found` */
function clientOf(manager: EntityManager, { id }: ClientValues): Promise<Client> {
  return createClientAdministration(manager).find(id);
}

function presentDetails(manager: EntityManager, client: Client) {
  return createClientAdministration(manager).describe(client);
}
