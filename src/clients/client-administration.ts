import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import { Problem } from '../http/errors/problem.js';
import { isPublicClientId } from './client-id.js';
import type { ListedClient } from './client-list.js';
import { createClientStore } from './client-store.js';
import type { Client } from './client.entity.js';

/** Blocking tenants that are shown with a client. */
const MAX_TENANTS = 1000;

/** Decisions of the operator about clients, with an audit entry for each change. */
export interface ClientAdministration {
  /** @throws Problem `not_found` */
  find(id: string): Promise<Client>;
  /** Vouches for a client, or takes that back. @throws Problem `not_found` */
  setVerified(actor: Actor, id: string, isVerified: boolean): Promise<void>;
  /** Requires pushed authorization requests (RFC 9126), or no longer. @throws Problem `not_found` */
  setRequiresPushedRequests(actor: Actor, id: string, isRequired: boolean): Promise<void>;
  /** A client with its metadata and the tenants that block it. */
  describe(client: Client): Promise<ReturnType<typeof presentClient> & object>;
}

/** @param manager of a transaction, so that a change and its audit entry commit together */
export function createClientAdministration(manager: EntityManager): ClientAdministration {
  const store = createClientStore(manager);
  const audit = createAuditLog(manager);
  const find = async (id: string) => {
    const client = await store.find(id);
    if (client === undefined) throw new Problem('not_found', `There is no client ${id}.`);
    return client;
  };
  const record = (actor: Actor, action: string, { id, name }: Client) =>
    audit.record(actor, {
      tenantId: null,
      action: `client.${action}`,
      subject: id,
      details: { name },
    });
  return {
    find,
    async setVerified(actor, id, isVerified) {
      const client = await find(id);
      if (await store.setVerified(id, isVerified)) {
        await record(actor, isVerified ? 'verify' : 'unverify', client);
      }
    },
    async setRequiresPushedRequests(actor, id, isRequired) {
      const client = await find(id);
      if (await store.setRequiresPushedRequests(id, isRequired)) {
        await record(actor, isRequired ? 'require_par' : 'unrequire_par', client);
      }
    },
    async describe(client) {
      return {
        ...presentClient(client),
        requiresPushedRequests: client.requiresPushedRequests,
        blockedAt: client.blockedAt,
        blockedInTenants: await store.listBlockingTenants(client.id, { limit: MAX_TENANTS }),
        metadata: client.metadata,
      };
    },
  };
}

/** Presents a client to the operator. */
export function presentClient({
  id,
  name,
  isVerified,
  blockedAt,
  createdAt,
}: Omit<ListedClient, 'position'>) {
  const type = isPublicClientId(id) ? 'public' : 'confidential';
  const status = blockedAt === null ? 'active' : 'blocked';
  return { id, name, type, status, verified: isVerified, createdAt };
}
