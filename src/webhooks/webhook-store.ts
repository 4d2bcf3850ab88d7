import type { EntityManager } from 'typeorm';

import { BEHIND_ALL_IDS } from '../db/id.js';
import { prepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import type { PageRequest } from '../http/pagination.js';
import type { SealedSecrets } from './signing.js';
import type { DisabledReason } from './webhook-schema.js';

/** A webhook as lists show it, without its secrets. */
export interface Webhook {
  readonly id: string;
  readonly tenantId: string | null;
  readonly url: string;
  readonly types: readonly string[];
  readonly disabledAt: Date | null;
  readonly disabledReason: DisabledReason | null;
  readonly createdAt: Date;
}

/** The tenant whose webhooks are managed; `undefined` for the operator, who manages all. */
export type Owner = string | undefined;

/** Deliveries that one statement changes. */
const MAX_AT_ONCE = 10_000;

const COLUMNS = `id, tenant_id AS "tenantId", url, types, disabled_at AS "disabledAt",
  disabled_reason AS "disabledReason", created_at AS "createdAt"`;
const OWNED = '($2::text IS NULL OR tenant_id = $2)';

export function createWebhookStore(manager: EntityManager, owner: Owner) {
  return {
    async find(id: string): Promise<Webhook | undefined> {
      const rows = await manager.query<Webhook[]>(
        `SELECT ${COLUMNS} FROM webhooks WHERE id = $1 AND ${OWNED}`,
        [id, owner ?? null],
      );
      return rows[0];
    },

    /** Newest first, up to one more than asked for. */
    list: (page: PageRequest<string>, tenantId: string | undefined) =>
      listWebhooks(manager, owner ?? tenantId, page),

    async count(tenantId: string | null): Promise<number> {
      const [{ count }] = await manager.query<[{ count: number }]>(
        'SELECT count(*)::int AS count FROM webhooks WHERE tenant_id IS NOT DISTINCT FROM $1',
        [tenantId],
      );
      return count;
    },

    async insert(
      webhook: { id: string; tenantId: string | null; url: string; types: readonly string[] },
      sealed: SealedSecrets,
    ): Promise<void> {
      const { id, tenantId, url, types } = webhook;
      await manager.query(
        `INSERT INTO webhooks (id, tenant_id, url, types, ciphertext, ciphertext_key_id)
         VALUES ($1, $2, $3, $4, $5, $6)`,
        [id, tenantId, url, types, sealed.ciphertext, sealed.keyId],
      );
    },

    async update(id: string, { url, types }: Pick<Webhook, 'url' | 'types'>): Promise<void> {
      // Without its lease, a round that began with the former URL ends.
      await manager.query(
        `UPDATE webhooks SET url = $2, types = $3, lease = CASE WHEN url = $2 THEN lease END,
           lease_until = CASE WHEN url = $2 THEN lease_until END WHERE id = $1`,
        [id, url, types],
      );
    },

    /** Its deliveries are left to cleanup: they can be very many. */
    async delete(id: string): Promise<void> {
      await manager.query('DELETE FROM webhooks WHERE id = $1', [id]);
    },
  };
}

async function listWebhooks(
  manager: EntityManager,
  tenantId: string | undefined,
  { limit, after = BEHIND_ALL_IDS }: PageRequest<string>,
): Promise<readonly Webhook[]> {
  const fetched = rowsToFetch(limit);
  const isOfTenant = tenantId !== undefined;
  const found = await prepared(manager)<Webhook & object>(
    {
      name: `list-webhooks-${isOfTenant ? 'of-tenant-' : ''}${fetched}`,
      text: `SELECT ${COLUMNS} FROM webhooks WHERE id < $1 ${isOfTenant ? 'AND tenant_id = $2' : ''}
        ORDER BY id DESC LIMIT ${fetched}`,
    },
    isOfTenant ? [after, tenantId] : [after],
  );
  return found.slice(0, limit + 1);
}

/** Ends a pause, so that the first delivery of each subject is tried now. Untried ones follow the first. */
export async function resume(manager: EntityManager, id: string): Promise<void> {
  await manager.query('UPDATE webhooks SET resume_at = gatehouse_now() WHERE id = $1', [id]);
  await manager.query(
    `UPDATE webhook_deliveries SET due_at = gatehouse_now() WHERE webhook_id = $1 AND seq IN (
       SELECT seq FROM webhook_deliveries
       WHERE webhook_id = $1 AND state = 'pending' AND due_at > gatehouse_now() AND attempts > 0
       ORDER BY due_at LIMIT ${MAX_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
    [id],
  );
}

/**
 * Deliveries of before are canceled when it is disabled, and not repeated when it is enabled. If many wait, cleanup cancels
 * the rest. A disabled webhook is sent nothing meanwhile.
 */
export async function setDisabled(
  manager: EntityManager,
  id: string,
  reason: DisabledReason | null,
): Promise<void> {
  await manager.query(
    `UPDATE webhooks SET disabled_reason = $2, failures = 0, resume_at = gatehouse_now(),
       disabled_at = CASE WHEN $2::text IS NULL THEN NULL ELSE gatehouse_now() END WHERE id = $1`,
    [id, reason],
  );
  if (reason !== null) await cancelWaiting(manager, id);
}

/** Cancels deliveries that wait, a bounded number. Those that another transaction works on are left. */
export async function cancelWaiting(manager: EntityManager, id: string): Promise<void> {
  await manager.query(
    `UPDATE webhook_deliveries SET state = 'canceled' WHERE webhook_id = $1 AND seq IN (
       SELECT seq FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending'
       ORDER BY due_at LIMIT ${MAX_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
    [id],
  );
}

/** Whether more deliveries of a webhook wait than a number. */
export async function hasWaiting(
  manager: EntityManager,
  id: string,
  moreThan: number,
): Promise<boolean> {
  const [{ count }] = await manager.query<[{ count: number }]>(
    `SELECT count(*)::int AS count FROM (SELECT FROM webhook_deliveries
       WHERE webhook_id = $1 AND state = 'pending' LIMIT $2) AS waiting`,
    [id, moreThan + 1],
  );
  return count > moreThan;
}

/** @returns the sealed secrets; the row is locked */
export async function lockSecrets(manager: EntityManager, id: string): Promise<SealedSecrets> {
  const [row] = await manager.query<SealedSecrets[]>(
    'SELECT ciphertext, ciphertext_key_id AS "keyId" FROM webhooks WHERE id = $1 FOR UPDATE',
    [id],
  );
  if (row === undefined) throw new Error('the webhook is gone');
  return row;
}

/** Sets the sealed secrets. Without its lease, a round that signs with the former ones ends. */
export async function setSecrets(
  manager: EntityManager,
  id: string,
  { ciphertext, keyId }: SealedSecrets,
): Promise<void> {
  await manager.query(
    `UPDATE webhooks SET ciphertext = $2, ciphertext_key_id = $3, lease = NULL, lease_until = NULL
     WHERE id = $1`,
    [id, ciphertext, keyId],
  );
}
