import type { EntityManager } from 'typeorm';

import { Consent } from './consent.entity.js';

/** Identifies a consent. */
export interface ConsentKey {
  readonly tenantId: string;
  readonly accountId: string;
  readonly clientId: string;
}

/** The scopes that a user was offered and granted. */
export interface RememberedConsent {
  readonly offered: readonly string[];
  readonly granted: readonly string[];
  /** The scopes granted for each resource server, by its id. The members above are about this server's own resources. */
  readonly grantedToServers: Readonly<Record<string, readonly string[]>>;
}

export interface ConsentStore {
  find(key: ConsentKey): Promise<RememberedConsent | undefined>;
  /** Stores a decision. Earlier decisions about other scopes and other resource servers are kept. */
  remember(key: ConsentKey, decision: RememberedConsent): Promise<void>;
  /** Deletes consents, so that the users are asked again. */
  forgetAll(keys: readonly ConsentKey[]): Promise<void>;
  /** Deletes an account's consents: in one tenant or in all, to one client or to all. */
  deleteOfAccount(filter: {
    readonly accountId: string;
    readonly tenantId: string | undefined;
    readonly clientId: string | undefined;
  }): Promise<void>;
  /**
   * Deletes all consents to a client, so that its users are asked again.
   * @param tenantId limits this to one tenant; `null` for all
   */
  deleteOfClient(tenantId: string | null, clientId: string): Promise<void>;
  /** Deletes all consents of a member. */
  deleteOfMember(accountId: string, tenantId: string): Promise<void>;
}

export function createConsentStore(manager: EntityManager): ConsentStore {
  const consents = manager.getRepository(Consent);
  return {
    async find({ tenantId, accountId, clientId }) {
      return (await consents.findOneBy({ tenantId, accountId, clientId })) ?? undefined;
    },
    async remember({ tenantId, accountId, clientId }, { offered, granted, grantedToServers }) {
      await manager.query(
        `INSERT INTO consents AS known (account_id, tenant_id, client_id, offered, granted, granted_to_servers)
         VALUES ($1, $2, $3, $4, $5, $6::jsonb)
         ON CONFLICT ON CONSTRAINT consents_pkey DO UPDATE SET
           offered = array(SELECT unnest(known.offered) UNION SELECT unnest(excluded.offered)),
           granted = array(
             (SELECT unnest(known.granted) EXCEPT SELECT unnest(excluded.offered))
             UNION SELECT unnest(excluded.granted)),
           granted_to_servers = known.granted_to_servers || excluded.granted_to_servers,
           decided_at = gatehouse_now()`,
        [accountId, tenantId, clientId, offered, granted, JSON.stringify(grantedToServers)],
      );
    },
    async forgetAll(keys) {
      await manager.query(
        `DELETE FROM consents USING unnest($1::text[], $2::text[], $3::text[])
           AS ended (account_id, tenant_id, client_id)
         WHERE consents.account_id = ended.account_id AND consents.tenant_id = ended.tenant_id
           AND consents.client_id = ended.client_id`,
        [
          keys.map(({ accountId }) => accountId),
          keys.map(({ tenantId }) => tenantId),
          keys.map(({ clientId }) => clientId),
        ],
      );
    },
    async deleteOfAccount({ accountId, tenantId, clientId }) {
      await manager.query(
        `DELETE FROM consents WHERE account_id = $1 AND ($2::text IS NULL OR tenant_id = $2)
           AND ($3::text IS NULL OR client_id = $3)`,
        [accountId, tenantId ?? null, clientId ?? null],
      );
    },
    async deleteOfMember(accountId, tenantId) {
      await consents.delete({ accountId, tenantId });
    },
    async deleteOfClient(tenantId, clientId) {
      await consents.delete({ clientId, ...(tenantId !== null && { tenantId }) });
    },
  };
}
