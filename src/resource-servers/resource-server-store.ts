import type { EntityManager } from 'typeorm';

import type { Digest } from '../credentials/index.js';
import { IS_VALID } from '../credentials/tables.js';
import { prepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import type { Scope } from '../scopes/catalog.js';

/** An API of the operator's that accepts credentials from here. */
export interface ResourceServer {
  readonly id: string;
  /** The audience of tokens for it, as registered. */
  readonly identifier: string;
  readonly name: string;
  /** The scopes that it takes; `null` for all. */
  readonly scopes: readonly Scope[] | null;
  /** Whether it accepts keys beside tokens. */
  readonly acceptsKeys: boolean;
  /** Whether clients that the operator has not verified can get tokens for it. */
  readonly dynamicClients: boolean;
  readonly createdAt: Date;
}

/** A credential of a resource server, as lists show it. */
export interface ServerCredential {
  readonly id: string;
  readonly masked: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

export interface ResourceServerStore {
  /** @returns whether it was inserted; not if the identifier is taken in another spelling */
  insert(
    server: Omit<ResourceServer, 'createdAt'>,
    more: { readonly canonical: string; readonly issueSeq: string },
  ): Promise<boolean>;
  /** @param idOrCanonical the id, or the identifier in canonical form */
  find(idOrCanonical: string): Promise<ResourceServer | undefined>;
  /** Ordered by identifier. */
  list(page: {
    readonly limit: number;
    readonly after: string | undefined;
  }): Promise<readonly ResourceServer[]>;
  update(
    id: string,
    fields: Omit<ResourceServer, 'id' | 'identifier' | 'createdAt'>,
  ): Promise<void>;
  /** Deletes it with its credentials. Its tokens must be revoked in the same transaction. */
  delete(id: string): Promise<void>;
  insertCredential(credential: {
    readonly id: string;
    readonly serverId: string;
    readonly digest: Digest;
    readonly masked: string;
    readonly issueSeq: string;
  }): Promise<void>;
  /** Whether a credential has this id. */
  hasCredential(id: string): Promise<boolean>;
  /** Valid credentials, newest first. */
  listCredentials(serverId: string): Promise<readonly ServerCredential[]>;
  /** Ends all credentials after a time, unless they end before. Deletes those that have ended. */
  endCredentials(serverId: string, graceSeconds: number): Promise<void>;
}

const COLUMNS = `id, identifier, name, scopes, accepts_keys AS "acceptsKeys",
  dynamic_clients AS "dynamicClients", created_at AS "createdAt"`;

const LIST_CREDENTIALS = {
  name: 'list-server-credentials',
  text: `SELECT id, masked, created_at AS "createdAt", expires_at AS "expiresAt"
    FROM resource_server_credentials c
    WHERE server_id = $1 AND ${IS_VALID}
    ORDER BY issue_seq DESC`,
};

export function createResourceServerStore(manager: EntityManager): ResourceServerStore {
  return {
    async insert({ id, identifier, name, scopes, acceptsKeys, dynamicClients }, more) {
      const inserted = await manager.query<object[]>(
        `INSERT INTO resource_servers
           (id, identifier, canonical, name, scopes, accepts_keys, dynamic_clients, issue_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1`,
        [id, identifier, more.canonical, name, scopes, acceptsKeys, dynamicClients, more.issueSeq],
      );
      return inserted.length > 0;
    },
    async find(idOrCanonical) {
      const [found] = await manager.query<ResourceServer[]>(
        `SELECT ${COLUMNS} FROM resource_servers WHERE id = $1 OR canonical = $1`,
        [idOrCanonical],
      );
      return found;
    },
    list: (page) => list(manager, page),
    async update(id, { name, scopes, acceptsKeys, dynamicClients }) {
      await manager.query(
        `UPDATE resource_servers SET name = $2, scopes = $3, accepts_keys = $4, dynamic_clients = $5
         WHERE id = $1`,
        [id, name, scopes, acceptsKeys, dynamicClients],
      );
    },
    async delete(id) {
      await manager.query('DELETE FROM resource_servers WHERE id = $1', [id]);
    },
    ...createServerCredentials(manager),
  };
}

async function list(
  manager: EntityManager,
  { limit, after }: { readonly limit: number; readonly after: string | undefined },
): Promise<readonly ResourceServer[]> {
  const fetched = rowsToFetch(limit - 1);
  const rows = await prepared(manager)<ResourceServer>(
    {
      name: `list-resource-servers-${fetched}`,
      text: `SELECT ${COLUMNS} FROM resource_servers
        WHERE identifier > $1 ORDER BY identifier LIMIT ${fetched}`,
    },
    [after ?? ''],
  );
  return rows.slice(0, limit);
}

type ServerCredentials = Pick<
  ResourceServerStore,
  'insertCredential' | 'hasCredential' | 'listCredentials' | 'endCredentials'
>;

function createServerCredentials(manager: EntityManager): ServerCredentials {
  return {
    async insertCredential({ id, serverId, digest, masked, issueSeq }) {
      await manager.query(
        `INSERT INTO resource_server_credentials
           (id, server_id, digest, digest_key_id, masked, subjects, issue_seq)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [id, serverId, digest.digest, digest.keyId, masked, [id, serverId], issueSeq],
      );
    },
    async hasCredential(id) {
      const rows = await manager.query<object[]>(
        'SELECT FROM resource_server_credentials WHERE id = $1',
        [id],
      );
      return rows.length > 0;
    },
    listCredentials: (serverId) =>
      prepared(manager)<ServerCredential>(LIST_CREDENTIALS, [serverId]),
    async endCredentials(serverId, graceSeconds) {
      await manager.query(
        `UPDATE resource_server_credentials
         SET expires_at = least(expires_at, gatehouse_now() + make_interval(secs => $2))
         WHERE server_id = $1`,
        [serverId, graceSeconds],
      );
      await manager.query(
        `DELETE FROM resource_server_credentials
         WHERE server_id = $1 AND expires_at <= gatehouse_now()`,
        [serverId],
      );
    },
  };
}
