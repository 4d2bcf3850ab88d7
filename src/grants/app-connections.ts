import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import { createRevocationStore } from '../credentials/index.js';
import { IS_REVOKED } from '../credentials/tables.js';
import { Problem } from '../http/errors/problem.js';
import { createConsentStore } from './consent-store.js';

/** The members of a grant that its end needs. */
export interface GrantToEnd {
  readonly id: string;
  readonly tenantId: string;
  readonly accountId: string;
  readonly clientId: string;
}

/** An account's grants: in one tenant or in all, to one client or to all. */
export interface GrantsOfAccount {
  readonly accountId: string;
  readonly tenantId: string | undefined;
  readonly clientId: string | undefined;
}

/** Stores of other features. */
export interface ConnectionStores {
  /** @returns whether that changed anything */
  setBlocked(clientId: string, tenantId: string | null, isBlocked: boolean): Promise<boolean>;
}

/**
 * Ends what users have allowed to apps, for the console, the API and the command line. Every token ends with its grant,
 * from the next request on, and the users are asked again. Every function needs a transaction.
 */
export interface AppConnections {
  /** Ends these grants, which must be active. */
  end(actor: Actor, grants: readonly GrantToEnd[], reason: string | null): Promise<void>;
  /**
   * Ends all active grants of an account, those included that are being created.
   * @returns the ended grants
   * @throws Problem `conflict` if there are more than `MAX_ENDED`
   */
  endOfAccount(
    actor: Actor,
    filter: GrantsOfAccount,
    reason: string | null,
  ): Promise<readonly GrantToEnd[]>;
  /**
   * Ends everything that was issued through a client.
   * @param tenantId limits this to one tenant; `null` for all
   */
  endOfClient(
    actor: Actor,
    client: { readonly id: string; readonly name: string },
    tenantId: string | null,
    reason: string | null,
  ): Promise<void>;
  /**
   * Blocks a client, in one tenant or in all, and ends everything that was issued through it there; or unblocks it.
   * @returns whether that changed anything
   */
  setBlocked(
    actor: Actor,
    block: { readonly clientId: string; readonly tenantId: string | null },
    isBlocked: boolean,
    reason: string | null,
  ): Promise<boolean>;
}

/** Grants that one call ends. Each takes a lock until the end of the transaction. */
const MAX_ENDED = 5000;

export function createAppConnections(
  manager: EntityManager,
  stores: ConnectionStores,
): AppConnections {
  const { revocations, consents, audit, end, endIssued } = createEnding(manager);

  return {
    end,
    async endOfAccount(actor, filter, reason) {
      const { accountId, tenantId } = filter;
      // Waits for grants that are being created: each holds the shared lock of both subjects.
      await revocations.drawIssueOrder(
        [],
        [tenantId === undefined ? accountId : `${accountId}@${tenantId}`],
      );
      const grants = await activeGrants(manager, filter);
      if (grants.length > MAX_ENDED) {
        throw new Problem(
          'conflict',
          `There are more than ${MAX_ENDED} grants: name a tenant or a client, or revoke the account.`,
        );
      }
      await end(actor, grants, reason);
      await consents.deleteOfAccount(filter);
      return grants;
    },
    async endOfClient(actor, { id, name }, tenantId, reason) {
      await endIssued(actor, id, tenantId, reason);
      await audit.record(actor, {
        tenantId,
        action: 'client.revoke',
        subject: id,
        details: { name, reason },
      });
    },
    async setBlocked(actor, { clientId, tenantId }, isBlocked, reason) {
      // First: it waits for everything that is being issued without having seen the block.
      if (isBlocked) await endIssued(actor, clientId, tenantId, reason);
      const hasChanged = await stores.setBlocked(clientId, tenantId, isBlocked);
      if (hasChanged) {
        await audit.record(actor, {
          tenantId,
          action: isBlocked ? 'client.block' : 'client.unblock',
          subject: clientId,
          ...(isBlocked && { details: { reason } }),
        });
      }
      return hasChanged;
    },
  };
}

/** The two ways to end what apps were given: single grants, and everything that was issued through a client. */
function createEnding(manager: EntityManager) {
  const revocations = createRevocationStore(manager);
  const consents = createConsentStore(manager);
  const audit = createAuditLog(manager);

  async function end(actor: Actor, grants: readonly GrantToEnd[], reason: string | null) {
    const ids = grants.map(({ id }) => id);
    await revocations.revokeAll(ids, actor.id, reason);
    await consents.forgetAll(grants);
    await audit.recordAll(
      actor,
      grants.map(({ id, tenantId, accountId, clientId }) => ({
        tenantId,
        action: 'grant.revoke',
        subject: id,
        details: { clientId, accountId, reason },
      })),
    );
  }

  async function endIssued(
    actor: Actor,
    clientId: string,
    tenantId: string | null,
    reason: string | null,
  ): Promise<void> {
    const subject = tenantId === null ? clientId : `${clientId}@${tenantId}`;
    await revocations.revoke(subject, actor.id, reason);
    await consents.deleteOfClient(tenantId, clientId);
  }

  return { revocations, consents, audit, end, endIssued };
}

function activeGrants(
  manager: EntityManager,
  { accountId, tenantId, clientId }: GrantsOfAccount,
): Promise<GrantToEnd[]> {
  return manager.query<GrantToEnd[]>(
    `SELECT c.id, c.tenant_id AS "tenantId", c.account_id AS "accountId", c.client_id AS "clientId"
     FROM grants c
     WHERE c.account_id = $1 AND ($2::text IS NULL OR c.tenant_id = $2)
       AND ($3::text IS NULL OR c.client_id = $3) AND NOT ${IS_REVOKED}
     ORDER BY c.issue_seq DESC LIMIT ${MAX_ENDED + 1}`,
    [accountId, tenantId ?? null, clientId ?? null],
  );
}
