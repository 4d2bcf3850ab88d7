import type { EntityManager } from 'typeorm';

import { prepared } from '../db/prepared.js';
import { LATEST, rowsToFetch } from '../db/space-rows.js';
import type { PageRequest } from '../http/pagination.js';
import type { Client } from './client.entity.js';

/** A position in the list of clients. It stays valid after its client was deleted. */
export interface ClientPosition {
  /** Text with microseconds, which a Date would lose. */
  readonly createdAt: string;
  readonly id: string;
}

/** A page of the list: up to `limit` clients after `after`. */
export interface ClientPage {
  readonly limit: number;
  readonly after?: ClientPosition | undefined;
}

/** A client that a tenant blocks. */
export interface BlockedClient {
  readonly id: string;
  readonly name: string;
  readonly isVerified: boolean;
  readonly blockedAt: Date;
  /** Its position in the list of blocks. */
  readonly seq: string;
}

/** A client as lists show it. */
export interface ListedClient extends Readonly<
  Pick<Client, 'id' | 'name' | 'isVerified' | 'blockedAt' | 'createdAt'>
> {
  readonly position: string;
}

/** Finds a page of all clients, newest first. */
export async function listClients(
  manager: EntityManager,
  { limit, after }: ClientPage,
): Promise<readonly ListedClient[]> {
  const fetched = rowsToFetch(limit - 1);
  const rows = await prepared(manager)<ListedClient>(
    {
      name: `list-clients-${fetched}`,
      text: `SELECT id, name, is_verified AS "isVerified", blocked_at AS "blockedAt",
          created_at AS "createdAt", created_at::text AS position
        FROM clients WHERE (created_at, id) < ($1::timestamptz, $2)
        ORDER BY created_at DESC, id DESC LIMIT ${fetched}`,
    },
    [after?.createdAt ?? 'infinity', after?.id ?? ''],
  );
  return rows.slice(0, limit);
}

/** Finds the tenants that block a client: see `ClientStore.listBlockingTenants`. */
export async function listBlockingTenants(
  manager: EntityManager,
  clientId: string,
  { limit, after = '' }: { readonly limit: number; readonly after?: string | undefined },
): Promise<readonly string[]> {
  const fetched = rowsToFetch(limit - 1);
  const rows = await prepared(manager)<{ id: string }>(
    {
      name: `list-blocking-tenants-${fetched}`,
      text: `SELECT tenant_id AS id FROM client_blocks WHERE client_id = $1 AND tenant_id > $2
        ORDER BY tenant_id LIMIT ${fetched}`,
    },
    [clientId, after],
  );
  return rows.slice(0, limit).map(({ id }) => id);
}

/** Finds the clients that a tenant blocks: see `ClientStore.listBlockedBy`. */
export async function listBlockedBy(
  manager: EntityManager,
  tenantId: string,
  { limit, after }: PageRequest,
): Promise<readonly BlockedClient[]> {
  const fetched = rowsToFetch(limit);
  const rows = await prepared(manager)<BlockedClient>(
    {
      name: `list-blocked-clients-${fetched}`,
      text: `SELECT client.id, client.name, client.is_verified AS "isVerified",
          blocks.created_at AS "blockedAt", blocks.seq::text AS seq
        FROM (SELECT client_id, created_at, seq FROM client_blocks
          WHERE tenant_id = $1 AND seq < $2::bigint ORDER BY seq DESC LIMIT ${fetched}) AS blocks
          JOIN clients client ON client.id = blocks.client_id
        ORDER BY blocks.seq DESC`,
    },
    [tenantId, after === undefined ? LATEST : String(after)],
  );
  return rows.slice(0, limit + 1);
}
