import type { EntityManager } from 'typeorm';

import { createId } from '../../db/id.js';

/** Logos of clients: where they come from, and their pictures. A row ends with its client. */
export interface LogoStore {
  /** The addresses of pictures, by client. Clients without a picture of their current logo are left out. */
  addressesOf(clientIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Claims the right to fetch a logo. Exactly one of concurrent calls gets it, over all replicas.
   *
   * @param retrySeconds the time until it can be claimed again, unless a picture was stored
   * @returns the future address; `undefined` if it is not to be fetched now
   */
  claim(clientId: string, logoUri: string, retrySeconds: number): Promise<string | undefined>;
  /** Stores the picture of a claimed logo. */
  store(address: string, picture: Buffer): Promise<void>;
  /** @returns the picture at an address */
  find(address: string): Promise<Buffer | undefined>;
}

export function createLogoStore(manager: EntityManager): LogoStore {
  return {
    async addressesOf(clientIds) {
      const rows = await manager.query<{ id: string; address: string }[]>(
        `SELECT l.client_id AS id, l.address FROM client_logos l
           JOIN clients c ON c.id = l.client_id AND c.metadata->>'logo_uri' = l.logo_uri
         WHERE l.client_id = ANY ($1::text[]) AND l.picture IS NOT NULL`,
        [clientIds],
      );
      return new Map(rows.map(({ id, address }) => [id, address]));
    },
    async claim(clientId, logoUri, retrySeconds) {
      // A new address for another logo: what is at an address never changes.
      const [row] = await manager.query<{ address: string }[]>(
        `INSERT INTO client_logos AS l (client_id, address, logo_uri, retry_at)
         SELECT id, $3, $2, gatehouse_now() + make_interval(secs => $4) FROM clients WHERE id = $1
         ON CONFLICT (client_id) DO UPDATE
           SET address = excluded.address, logo_uri = excluded.logo_uri, picture = NULL,
             retry_at = excluded.retry_at
           WHERE l.logo_uri <> excluded.logo_uri
             OR (l.picture IS NULL AND l.retry_at <= gatehouse_now())
         RETURNING l.address`,
        [clientId, logoUri, createId('lgo'), retrySeconds],
      );
      return row?.address;
    },
    async store(address, picture) {
      await manager.query('UPDATE client_logos SET picture = $2 WHERE address = $1', [
        address,
        picture,
      ]);
    },
    async find(address) {
      const [row] = await manager.query<{ picture: Buffer | null }[]>(
        'SELECT picture FROM client_logos WHERE address = $1',
        [address],
      );
      return row?.picture ?? undefined;
    },
  };
}
