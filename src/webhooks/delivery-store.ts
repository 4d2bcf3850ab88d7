import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';
import { prepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import { type StoredEvent, typePatterns } from '../events/index.js';
import type { PageRequest } from '../http/pagination.js';
import type { Webhook } from './webhook-store.js';

/** A delivery as the log shows it. */
export interface Delivery {
  readonly seq: number;
  readonly eventId: number;
  /** The time of the event, in microseconds since the epoch. */
  readonly micros: number;
  readonly type: string;
  readonly subject: string;
  readonly state: 'pending' | 'delivered' | 'canceled';
  readonly attempts: number;
  readonly lastAttemptAt: Date | null;
  readonly dueAt: Date;
  readonly status: number | null;
  readonly fault: string | null;
  readonly durationMs: number | null;
  readonly createdAt: Date;
}

type Row = Omit<Delivery, 'seq' | 'eventId' | 'micros'> &
  Readonly<Record<'seq' | 'eventId' | 'micros', string>>;

/** How long deliveries that ended are kept. */
const KEPT_DAYS = 7;
/** Events of one redelivery. */
const MAX_REPEATED = 10_000;
/** Events that a redelivery looks at. */
const MAX_EXAMINED = 100_000;

const COLUMNS = `seq, event_id AS "eventId", (extract(epoch FROM event_at) * 1000000)::bigint AS micros,
  type, subject, state, attempts, last_attempt_at AS "lastAttemptAt", due_at AS "dueAt", status, fault,
  duration_ms AS "durationMs", created_at AS "createdAt"`;

/** The log of deliveries of one webhook. */
export function createDeliveryStore(manager: EntityManager, webhookId: string) {
  return {
    /** Newest first, up to one more than asked for. */
    async list({ limit, after = Number.MAX_SAFE_INTEGER }: PageRequest): Promise<Delivery[]> {
      const fetched = rowsToFetch(limit);
      const rows = await prepared(manager)<Row>(
        {
          name: `list-webhook-deliveries-${fetched}`,
          text: `SELECT ${COLUMNS} FROM webhook_deliveries WHERE webhook_id = $1 AND seq < $2::bigint
            ORDER BY seq DESC LIMIT ${fetched}`,
        },
        [webhookId, after],
      );
      return rows.slice(0, limit + 1).map(read);
    },

    async find(seq: number): Promise<Delivery | undefined> {
      const [row] = await manager.query<Row[]>(
        `SELECT ${COLUMNS} FROM webhook_deliveries WHERE webhook_id = $1 AND seq = $2`,
        [webhookId, seq],
      );
      return row && read(row);
    },

    /** Adds a delivery of the event of another one, or of the newest audit entry of this type about the webhook. */
    async repeat(seq: number): Promise<number> {
      const [row] = await manager.query<[{ seq: string }]>(
        `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
         SELECT webhook_id, event_id, event_at, type, subject FROM webhook_deliveries
         WHERE webhook_id = $1 AND seq = $2 RETURNING seq`,
        [webhookId, seq],
      );
      return Number(row.seq);
    },

    /** Adds a delivery of an entry of the audit log that this transaction has written. */
    async addOwn(type: string): Promise<number> {
      const [row] = await manager.query<[{ seq: string }]>(
        `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
         SELECT $1, id, at, action, subject FROM audit_log
         WHERE xid = pg_current_xact_id() AND subject = $1 AND action = $2 ORDER BY id DESC LIMIT 1
         RETURNING seq`,
        [webhookId, type],
      );
      return Number(row.seq);
    },
  };
}

function read({ seq, eventId, micros, ...row }: Row): Delivery {
  return { seq: Number(seq), eventId: Number(eventId), micros: Number(micros), ...row };
}

/**
 * Adds deliveries of the events since a time that a webhook is for, oldest first, a bounded number.
 * @returns the number, and the time of the last event that was looked at if there are more
 */
export async function repeatSince(
  manager: EntityManager,
  { id, tenantId, types }: Pick<Webhook, 'id' | 'tenantId' | 'types'>,
  since: Date,
): Promise<{ readonly count: number; readonly until: Date | null }> {
  const patterns = typePatterns(types);
  const [row] = await manager.query<[{ count: number; until: Date | null }]>(
    `WITH examined AS MATERIALIZED (
       SELECT id, at, action, subject FROM audit_log
       WHERE at >= $2 AND ($3::text IS NULL OR tenant_id = $3)
       ORDER BY at, id LIMIT ${MAX_EXAMINED}),
     wanted AS (
       SELECT * FROM examined
       WHERE action <> '${TEST_TYPE}' AND ($4::text[] IS NULL OR action = ANY ($4)
         OR EXISTS (SELECT FROM unnest($5::text[]) AS begins WHERE starts_with(action, begins)))
       ORDER BY at, id LIMIT ${MAX_REPEATED}),
     added AS (
       INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
       SELECT $1, id, at, action, subject FROM wanted ORDER BY at, id RETURNING event_at)
     SELECT (SELECT count(*)::int FROM added) AS count, CASE
       WHEN (SELECT count(*) FROM added) = ${MAX_REPEATED} THEN (SELECT max(event_at) FROM added)
       WHEN (SELECT count(*) FROM examined) = ${MAX_EXAMINED} THEN (SELECT max(at) FROM examined)
     END AS until`,
    [id, since, tenantId, patterns?.exact ?? null, patterns?.begins ?? []],
  );
  return row;
}

/** The type of the event that a test sends. Webhooks get it on request only. */
export const TEST_TYPE = 'webhook.test';

/** Adds a delivery of each event for each webhook that it is for. */
export async function addDeliveries(
  manager: EntityManager,
  events: readonly StoredEvent[],
): Promise<void> {
  await manager.query(
    `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
     SELECT w.id, e.id, timestamptz 'epoch' + e.micros * interval '1 microsecond', e.type, e.subject
     FROM jsonb_to_recordset($1::jsonb) AS e (id bigint, micros bigint, type text, subject text, tenant text)
     JOIN webhooks w ON w.disabled_at IS NULL AND (w.tenant_id IS NULL OR w.tenant_id = e.tenant)
     WHERE e.type <> '${TEST_TYPE}' AND EXISTS (
       SELECT FROM unnest(w.types) AS wanted
       WHERE wanted = '*' OR wanted = e.type
         OR (right(wanted, 2) = '.*' AND starts_with(e.type, left(wanted, -1))))
     ORDER BY e.id`,
    [JSON.stringify(events)],
  );
}

/**
 * Cancels what waits for disabled webhooks, and deletes deliveries of removed webhooks and those that ended a week ago, a
 * bounded number at a time.
 * @returns the number of deleted rows
 */
export async function cleanDeliveries(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  await inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(CANCEL_OF_DISABLED, [limit]);
    return rows;
  }, signal);
  const removed = await deleteOfRemoved(manager, signal);
  const ended = await inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(
      `DELETE FROM webhook_deliveries WHERE (webhook_id, seq) IN (
         SELECT webhook_id, seq FROM webhook_deliveries
         WHERE state <> 'pending' AND created_at < gatehouse_now() - make_interval(days => ${KEPT_DAYS})
         LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
    return rows;
  }, signal);
  return removed + ended;
}

/** Deletes the deliveries of removed webhooks. Ids are not used twice, so that they stay removed. */
async function deleteOfRemoved(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  const webhooks = await manager.query<{ id: string }[]>(REMOVED);
  let total = 0;
  for (const { id } of webhooks) {
    total += await inBatches(async (limit) => {
      const [, rows] = await manager.query<[unknown, number]>(
        `DELETE FROM webhook_deliveries WHERE webhook_id = $1 AND seq IN (
           SELECT seq FROM webhook_deliveries WHERE webhook_id = $1
           ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [id, limit],
      );
      return rows;
    }, signal);
  }
  return total;
}

/** The webhooks of deliveries, one step through the index each, that do not exist. */
const REMOVED = `
  WITH RECURSIVE owners AS (
    (SELECT webhook_id AS id FROM webhook_deliveries ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.webhook_id > owners.id ORDER BY d.webhook_id LIMIT 1)
    FROM owners WHERE owners.id IS NOT NULL)
  SELECT id FROM owners
  WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM webhooks w WHERE w.id = owners.id)`;

const CANCEL_OF_DISABLED = `
  UPDATE webhook_deliveries SET state = 'canceled' WHERE (webhook_id, seq) IN (
    SELECT waiting.webhook_id, waiting.seq FROM webhooks w CROSS JOIN LATERAL (
      SELECT webhook_id, seq FROM webhook_deliveries d
      WHERE d.webhook_id = w.id AND d.state = 'pending'
      ORDER BY d.due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS waiting
    WHERE w.disabled_at IS NOT NULL LIMIT $1)`;
