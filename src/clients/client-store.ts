import type { EntityManager } from 'typeorm';

import type { Digest } from '../credentials/index.js';
import type { PageRequest } from '../http/pagination.js';
import { ClientBlock } from './client-block.entity.js';
import { isClientId } from './client-id.js';
import {
  type BlockedClient,
  type ClientPage,
  listBlockedBy,
  listBlockingTenants,
  listClients,
  type ListedClient,
} from './client-list.js';
import type { ClientMetadata } from './registration/client-metadata.js';
import { Client } from './client.entity.js';

export interface ClientStore {
  find(id: string): Promise<Client | undefined>;
  /** As `find`, for a client that registers again. Restarts the time for which an unused client is kept. */
  findAndRenew(id: string): Promise<Client | undefined>;
  /** As `find`, with a row lock against changes until the transaction ends. Tokens can still be issued under it. */
  findForUpdate(id: string): Promise<Client | undefined>;
  /** @returns whether it was inserted; an existing client is not changed */
  insertPublic(id: string, metadata: ClientMetadata): Promise<boolean>;
  insertConfidential(fields: {
    readonly id: string;
    readonly metadata: ClientMetadata;
    /** Absent for a client that authenticates with a key. */
    readonly secret: Digest | undefined;
    readonly registration: Digest;
  }): Promise<void>;
  /** Replaces the metadata. Revokes the operator's verification if `endsVerification`. */
  update(id: string, metadata: ClientMetadata, endsVerification: boolean): Promise<void>;
  /** Stores the secret's digest under another key, unless it was replaced meanwhile. */
  moveSecretDigest(id: string, former: string, digest: Digest): Promise<void>;
  /** Stores the registration token's digest under another key. */
  moveRegistrationDigest(id: string, digest: Digest): Promise<void>;
  /**
   * Deletes it with its grants, consents and blocks. Its tokens must be revoked first.
   * @returns whether it existed
   */
  delete(id: string): Promise<boolean>;
  /** Newest first. */
  list(page: ClientPage): Promise<readonly ListedClient[]>;
  /**
   * Blocks or unblocks it, for all tenants or for one.
   * @returns whether that changed anything
   */
  setBlocked(id: string, tenantId: string | null, isBlocked: boolean): Promise<boolean>;
  /** The tenants that block it, by id: up to `limit`, after the tenant `after`. */
  listBlockingTenants(
    id: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly string[]>;
  /** The tenants among these that block it. */
  blockingAmong(id: string, tenantIds: readonly string[]): Promise<readonly string[]>;
  /** The clients that a tenant blocks, the last blocked first: up to one more than asked for. */
  listBlockedBy(tenantId: string, page: PageRequest): Promise<readonly BlockedClient[]>;
  /** Whether the operator or this tenant blocks it. */
  isBlocked(tenantId: string, id: string): Promise<boolean>;
  /** @returns whether that changed anything */
  setRequiresPushedRequests(id: string, isRequired: boolean): Promise<boolean>;
  /** @returns whether that changed anything */
  setVerified(id: string, isVerified: boolean): Promise<boolean>;
}

export function createClientStore(manager: EntityManager): ClientStore {
  return { ...createClients(manager), ...createDecisions(manager) };
}

function createClients(manager: EntityManager): Omit<ClientStore, keyof Decisions> {
  const clients = manager.getRepository(Client);

  async function find(id: string): Promise<Client | undefined> {
    if (!isClientId(id)) return undefined;
    return (await clients.findOneBy({ id })) ?? undefined;
  }

  return {
    find,
    async findAndRenew(id) {
      const client = await find(id);
      if (client === undefined || client.unusedSince === null) return client;
      return (await renew(manager, id)) ? client : undefined;
    },
    async findForUpdate(id) {
      if (!isClientId(id)) return undefined;
      const query = clients.createQueryBuilder('client').where({ id });
      return (await query.setLock('for_no_key_update').getOne()) ?? undefined;
    },
    insertPublic: (id, metadata) => insertPublic(manager, id, metadata),
    async insertConfidential({ id, metadata, secret, registration }) {
      await clients.insert({
        id,
        name: metadata.client_name,
        metadata: { ...metadata },
        secretDigest: secret?.digest ?? null,
        secretDigestKeyId: secret?.keyId ?? null,
        registrationDigest: registration.digest,
        registrationDigestKeyId: registration.keyId,
      });
    },
    async update(id, metadata, endsVerification) {
      const fields = { name: metadata.client_name, metadata: { ...metadata } };
      await clients.update({ id }, { ...fields, ...(endsVerification && { isVerified: false }) });
    },
    async moveSecretDigest(id, former, { digest, keyId }) {
      await clients.update(
        { id, secretDigest: former },
        { secretDigest: digest, secretDigestKeyId: keyId },
      );
    },
    async moveRegistrationDigest(id, { digest, keyId }) {
      await clients.update({ id }, { registrationDigest: digest, registrationDigestKeyId: keyId });
    },
    async delete(id) {
      return ((await clients.delete({ id })).affected ?? 0) > 0;
    },
    list: (page) => listClients(manager, page),
  };
}

async function insertPublic(
  manager: EntityManager,
  id: string,
  metadata: ClientMetadata,
): Promise<boolean> {
  // Waits for a concurrent insert of the same client.
  const { raw } = await manager
    .getRepository(Client)
    .createQueryBuilder()
    .insert()
    .values({ id, name: metadata.client_name, metadata: { ...metadata } })
    .orIgnore()
    .returning('id')
    .execute();
  return (raw as object[]).length > 0;
}

/** The decisions of operators and tenants about clients. */
type Decisions = Pick<
  ClientStore,
  | 'setBlocked'
  | 'listBlockingTenants'
  | 'blockingAmong'
  | 'listBlockedBy'
  | 'isBlocked'
  | 'setVerified'
  | 'setRequiresPushedRequests'
>;

function createDecisions(manager: EntityManager): Decisions {
  const clients = manager.getRepository(Client);
  const blocks = manager.getRepository(ClientBlock);
  return {
    setBlocked: (id, tenantId, isBlocked) =>
      tenantId === null
        ? setBlockedForAll(manager, id, isBlocked)
        : setBlockedFor(manager, tenantId, id, isBlocked),
    listBlockingTenants: (id, page) => listBlockingTenants(manager, id, page),
    async blockingAmong(clientId, tenantIds) {
      const rows = await manager.query<{ id: string }[]>(
        `SELECT tenant_id AS id FROM client_blocks
         WHERE client_id = $1 AND tenant_id = ANY ($2::text[])`,
        [clientId, tenantIds],
      );
      return rows.map(({ id }) => id);
    },
    listBlockedBy: (tenantId, page) => listBlockedBy(manager, tenantId, page),
    async isBlocked(tenantId, clientId) {
      const client = await clients.findOneBy({ id: clientId });
      return client?.blockedAt != null || (await blocks.existsBy({ tenantId, clientId }));
    },
    async setRequiresPushedRequests(id, requiresPushedRequests) {
      const fields = { requiresPushedRequests, unusedSince: null };
      const where = { id, requiresPushedRequests: !requiresPushedRequests };
      return ((await clients.update(where, fields)).affected ?? 0) > 0;
    },
    async setVerified(id, isVerified) {
      const { affected = 0 } = await clients.update(
        { id, isVerified: !isVerified },
        { isVerified, unusedSince: null },
      );
      return (affected ?? 0) > 0;
    },
  };
}

/**
 * Extends the time for which an unused client is kept, at most once a day.
 * @returns whether it exists
 */
async function renew(manager: EntityManager, id: string): Promise<boolean> {
  const [row] = await manager.query<[{ kept: boolean }]>(
    `WITH renewed AS (UPDATE clients SET unused_since = DEFAULT
       WHERE id = $1 AND unused_since < gatehouse_now() - interval '1 day' RETURNING 1)
     SELECT EXISTS (SELECT FROM renewed) OR EXISTS (SELECT FROM clients WHERE id = $1
       AND (unused_since IS NULL OR unused_since >= gatehouse_now() - interval '1 day')) AS kept`,
    [id],
  );
  return row.kept;
}

async function setBlockedForAll(
  manager: EntityManager,
  id: string,
  isBlocked: boolean,
): Promise<boolean> {
  const { affected } = await manager
    .createQueryBuilder()
    .update(Client)
    .set({ blockedAt: () => (isBlocked ? 'gatehouse_now()' : 'NULL'), unusedSince: null })
    .where({ id })
    .andWhere(`blocked_at IS ${isBlocked ? 'NULL' : 'NOT NULL'}`)
    .execute();
  return (affected ?? 0) > 0;
}

async function setBlockedFor(
  manager: EntityManager,
  tenantId: string,
  clientId: string,
  isBlocked: boolean,
): Promise<boolean> {
  if (!isBlocked) {
    return ((await manager.delete(ClientBlock, { clientId, tenantId })).affected ?? 0) > 0;
  }
  const { raw } = await manager
    .createQueryBuilder()
    .insert()
    .into(ClientBlock)
    .values({ clientId, tenantId })
    .orIgnore()
    .returning('client_id')
    .execute();
  return (raw as object[]).length > 0;
}
