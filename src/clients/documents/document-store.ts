import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../../audit/index.js';
import { inBatches } from '../../db/batches.js';
import { createAttemptStore } from '../../rate-limits/index.js';
import { createClientStore } from '../client-store.js';
import {
  changedMembers,
  isShownOtherwise,
  type ClientMetadata,
} from '../registration/client-metadata.js';
import { CHANGES_OF_CLIENT } from '../registration/limits.js';

/** A document as it was fetched. */
export interface FetchedDocument {
  readonly clientId: string;
  readonly metadata: ClientMetadata;
  readonly freshSeconds: number;
}

/** @returns whether the stored copy is fresh; `undefined` if there is none */
export async function findCopy(
  manager: EntityManager,
  clientId: string,
): Promise<{ readonly isFresh: boolean } | undefined> {
  const [row] = await manager.query<{ isFresh: boolean }[]>(
    `SELECT coalesce(document_fresh_until > gatehouse_now(), false) AS "isFresh"
     FROM clients WHERE id = $1`,
    [clientId],
  );
  return row;
}

/** @returns whether it was inserted; an existing client is not changed */
export async function insertCopy(
  manager: EntityManager,
  { clientId, metadata, freshSeconds }: FetchedDocument,
  actor: Actor,
): Promise<boolean> {
  const isNew = await createClientStore(manager).insertPublic(clientId, metadata);
  await setFresh(manager, clientId, freshSeconds);
  if (!isNew) return false;
  const { client_name: name, redirect_uris, token_endpoint_auth_method } = metadata;
  await createAuditLog(manager).record(actor, {
    tenantId: null,
    action: 'client.register',
    subject: clientId,
    details: { name, redirect_uris, token_endpoint_auth_method },
  });
  return true;
}

/**
 * Replaces the stored copy. A change that users would see ends the operator's verification.
 *
 * @param forgetConsents deletes users' consents, in the same transaction
 * @returns whether there is a copy
 */
export async function replaceCopy(
  manager: EntityManager,
  { clientId, metadata, freshSeconds }: FetchedDocument,
  forgetConsents: (manager: EntityManager, clientId: string) => Promise<void>,
): Promise<boolean> {
  const store = createClientStore(manager);
  const known = await store.findForUpdate(clientId);
  if (known === undefined) return false;
  const changed = changedMembers(known.metadata, metadata);
  if (changed.length > 0) {
    const isOtherwise = isShownOtherwise(known.metadata, metadata);
    await store.update(clientId, metadata, isOtherwise);
    if (isOtherwise) await forgetConsents(manager, clientId);
    await createAuditLog(manager).record(
      { id: clientId, address: null, requestId: null },
      { tenantId: null, action: 'client.update', subject: clientId, details: { changed } },
    );
  }
  await setFresh(manager, clientId, freshSeconds);
  return true;
}

/**
 * Counts a change of a document. Each change writes an audit entry.
 * @param manager must not belong to a transaction
 */
export async function isChangeAllowed(manager: EntityManager, clientId: string): Promise<boolean> {
  for (const limit of CHANGES_OF_CLIENT) {
    const bucket = `change ${limit.seconds} ${clientId}`;
    if (!(await createAttemptStore(manager).take(bucket, limit)).isAllowed) return false;
  }
  return true;
}

/** An unused client is kept as long as its document is asked for. */
async function setFresh(manager: EntityManager, clientId: string, seconds: number): Promise<void> {
  await manager.query(
    `UPDATE clients SET document_fresh_until = gatehouse_now() + make_interval(secs => $2),
       unused_since = CASE WHEN unused_since IS NULL THEN NULL ELSE gatehouse_now() END
     WHERE id = $1`,
    [clientId, seconds],
  );
}

/** Copies of documents that were fetched for a request and never used. Beyond it, the oldest are deleted. */
const MAX_UNUSED = 10_000;

/** Deletes the oldest unused copies beyond their maximum number. They are fetched again when they are needed. */
export function deleteExcessCopies(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(async (limit) => {
    const [row] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (DELETE FROM clients WHERE id IN (SELECT id FROM clients
         WHERE document_fresh_until IS NOT NULL AND unused_since IS NOT NULL
           AND NOT is_verified AND blocked_at IS NULL
           AND unused_since <= (SELECT unused_since FROM clients
             WHERE document_fresh_until IS NOT NULL AND unused_since IS NOT NULL
             ORDER BY unused_since DESC OFFSET $2 LIMIT 1)
         ORDER BY unused_since LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [limit, MAX_UNUSED],
    );
    return row.count;
  }, signal);
}
