import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';

import { EVENT_JSON, type StoredEvent } from '../events/index.js';
import type { SealedSecrets } from './signing.js';

/** A webhook that this process delivers to, and no other. */
export interface Claim extends SealedSecrets {
  readonly id: string;
  readonly url: string;
  readonly tenantId: string | null;
  /** Rounds without a success. */
  readonly failures: number;
  readonly lease: string;
}

/** A delivery that can be sent. Earlier ones of its subject are not pending, or come before it. */
export interface Due {
  readonly seq: string;
  readonly subject: string;
  /** `null` if the entry is not kept any more. */
  readonly event: StoredEvent | null;
}

/** A webhook with something to deliver. */
export interface DueWebhook {
  readonly id: string;
  /** Whether its last round had no success. */
  readonly isFailing: boolean;
}

/** The result of an attempt. `fault` is `undefined` for a success. */
export interface Attempt {
  readonly status: number | null;
  readonly fault: string | undefined;
  readonly durationMs: number;
}

/**
 * Longer than the time after which a claim is prolonged, and an attempt, together. A webhook whose process was killed waits
 * for so long.
 */
const LEASE_SECONDS = 20;
const BATCH = 100;
/** Deliveries that are due and are looked at, of any subjects. */
const EXAMINED = 1000;
const GIVE_UP_DAYS = 3;
/** 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 6 h, 8 h, … */
const RETRY = { firstSeconds: 5, factor: 4, maxSeconds: 8 * 3600 };
/** Pauses of a webhook that answers nothing. */
const PAUSE = { firstSeconds: 5, maxSeconds: 600 };

/** The webhooks that have something to deliver, and the claims of processes to them. */
export function createClaims(manager: EntityManager) {
  return {
    /** Webhooks with a delivery that is due, and that no process delivers to. */
    dueWebhooks(): Promise<readonly DueWebhook[]> {
      return manager.query(
        `SELECT id, failures > 0 AS "isFailing" FROM webhooks w
         CROSS JOIN LATERAL (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending'
           AND d.due_at <= gatehouse_now() ORDER BY d.due_at LIMIT 1) AS due
         WHERE disabled_at IS NULL AND resume_at <= gatehouse_now()
           AND (lease_until IS NULL OR lease_until <= gatehouse_now())`,
      );
    },

    /** @returns `undefined` if the webhook is disabled, or if another process delivers to it */
    async claim(id: string): Promise<Claim | undefined> {
      const lease = randomUUID();
      const [rows] = await manager.query<[Omit<Claim, 'lease'>[], number]>(
        `UPDATE webhooks SET lease = $2, lease_until = gatehouse_now() + make_interval(secs => $3)
         WHERE id = $1 AND disabled_at IS NULL AND resume_at <= gatehouse_now()
           AND (lease_until IS NULL OR lease_until <= gatehouse_now())
         RETURNING id, url, tenant_id AS "tenantId", failures, ciphertext, ciphertext_key_id AS "keyId"`,
        [id, lease, LEASE_SECONDS],
      );
      return rows[0] && { ...rows[0], lease };
    },

    async release({ id, lease }: Claim): Promise<void> {
      await manager.query(
        'UPDATE webhooks SET lease = NULL, lease_until = NULL WHERE id = $1 AND lease = $2',
        [id, lease],
      );
    },

    /** Prolongs the claim. @returns false if it was lost, or the webhook is disabled or deleted, or has another URL */
    async prolong({ id, lease }: Claim): Promise<boolean> {
      const [, count] = await manager.query<[unknown, number]>(
        `UPDATE webhooks SET lease_until = gatehouse_now() + make_interval(secs => $3)
         WHERE id = $1 AND lease = $2 AND disabled_at IS NULL AND lease_until > gatehouse_now()`,
        [id, lease, LEASE_SECONDS],
      );
      return count > 0;
    },

    /** @returns false if it was lost, or the webhook is disabled or deleted, or has another URL */
    async isHeld({ id, lease }: Claim): Promise<boolean> {
      const rows = await manager.query<unknown[]>(
        'SELECT FROM webhooks WHERE id = $1 AND lease = $2 AND disabled_at IS NULL',
        [id, lease],
      );
      return rows.length > 0;
    },

    /** Ends the pauses of a webhook that answers again. */
    async noteAnswering({ id, lease }: Claim): Promise<void> {
      await manager.query(
        'UPDATE webhooks SET failures = 0 WHERE id = $1 AND lease = $2 AND failures > 0',
        [id, lease],
      );
    },

    /** Pauses a webhook that answers nothing, longer each time. */
    async pause({ id, lease }: Claim): Promise<void> {
      await manager.query(
        `UPDATE webhooks SET failures = failures + 1, resume_at = gatehouse_now()
           + make_interval(secs => least($2, $3 * power(2, least(failures, 20)))) WHERE id = $1 AND lease = $4`,
        [id, PAUSE.maxSeconds, PAUSE.firstSeconds, lease],
      );
    },
  };
}

/**
 * Deliveries of the webhook `$1` that wait, from one on, by subject; the last ones can be of later subjects. Rows are
 * compared, which only the index of subjects serves: with few subjects, the planner walks the primary key otherwise.
 */
function waitingFrom(subject: string, seq: string, limit: number): string {
  return `LATERAL (SELECT seq, subject, due_at, event_at, event_id FROM webhook_deliveries d
    WHERE d.webhook_id = $1 AND d.state = 'pending' AND (d.subject, d.seq) >= (${subject}, ${seq})
    ORDER BY d.subject, d.seq LIMIT ${limit})`;
}

/** A bounded number of deliveries of the webhook `$1` that are due, and the oldest one that waits of their subjects. */
const HEADS = `examined AS MATERIALIZED (
    SELECT seq, subject FROM webhook_deliveries WHERE webhook_id = $1 AND state = 'pending'
      AND due_at <= gatehouse_now() ORDER BY due_at LIMIT ${EXAMINED}),
  heads AS MATERIALIZED (
    SELECT first.subject, first.due_at FROM (SELECT DISTINCT subject FROM examined) AS e
    CROSS JOIN ${waitingFrom('e.subject', '0', 1)} AS first)`;

const PUT_OFF = `WITH ${HEADS}
  UPDATE webhook_deliveries d SET due_at = h.due_at
  FROM examined e JOIN heads h ON h.subject = e.subject
  WHERE d.webhook_id = $1 AND d.seq = e.seq AND h.due_at > gatehouse_now()`;

const DUE = `WITH ${HEADS},
  due AS MATERIALIZED (
    SELECT next.* FROM (
      SELECT * FROM heads WHERE due_at <= gatehouse_now() ORDER BY due_at LIMIT ${BATCH}) AS h
    CROSS JOIN ${waitingFrom('h.subject', '0', BATCH)} AS next
    WHERE next.subject = h.subject
    ORDER BY next.seq LIMIT ${BATCH})
  SELECT seq, subject, (SELECT ${EVENT_JSON} FROM audit_log e
    WHERE e.at = d.event_at AND e.id = d.event_id) AS event
  FROM due d ORDER BY seq`;

/** Ends the delivery `$2` of the webhook `$1`. The next one of its subject is due then. */
function endingBy(change: string): string {
  return `WITH ended AS (
      UPDATE webhook_deliveries SET ${change} WHERE webhook_id = $1 AND seq = $2 RETURNING seq, subject),
    next AS (
      SELECT later.seq FROM ended
      CROSS JOIN ${waitingFrom('ended.subject', 'ended.seq + 1', 1)} AS later
      WHERE later.subject = ended.subject)
    UPDATE webhook_deliveries d SET due_at = gatehouse_now() FROM next
    WHERE d.webhook_id = $1 AND d.seq = next.seq AND d.due_at > gatehouse_now()`;
}

/** The deliveries of a claimed webhook that are due, by the database's clock. */
export function createDueStore(manager: EntityManager) {
  return {
    /**
     * Puts off deliveries whose subject has an earlier one that waits for another try, a bounded number, so that none of
     * them is looked at before that try.
     * @returns the number
     */
    async putOffFollowers({ id }: Claim): Promise<number> {
      const [, count] = await manager.query<[unknown, number]>(PUT_OFF, [id]);
      return count;
    },

    /** The deliveries that can be sent, oldest first: of subjects whose oldest one is due, and are looked at. */
    due: ({ id }: Claim): Promise<readonly Due[]> => manager.query(DUE, [id]),

    async noteSuccess({ id }: Claim, seq: string, attempt: Attempt): Promise<void> {
      await manager.query(
        endingBy(`state = 'delivered', attempts = attempts + 1, status = $3, fault = NULL, duration_ms = $4,
          last_attempt_at = gatehouse_now(), first_attempt_at = coalesce(first_attempt_at, gatehouse_now())`),
        [id, seq, attempt.status, attempt.durationMs],
      );
    },

    /** Cancels a delivery whose event is not kept any more. */
    async cancelGone({ id }: Claim, seq: string): Promise<void> {
      await manager.query(endingBy(`state = 'canceled', fault = 'gone'`), [id, seq]);
    },

    /** @returns whether it has been tried for three days */
    async noteFailure({ id }: Claim, seq: string, attempt: Attempt): Promise<boolean> {
      const [rows] = await manager.query<[{ isOver: boolean }[], number]>(
        `UPDATE webhook_deliveries SET attempts = attempts + 1, status = $3, fault = $4, duration_ms = $5,
           last_attempt_at = gatehouse_now(),
           first_attempt_at = coalesce(first_attempt_at, gatehouse_now()),
           due_at = gatehouse_now() + make_interval(
             secs => least($6, $7 * power($8, least(attempts, 10))) * (0.9 + 0.2 * random()))
         WHERE webhook_id = $1 AND seq = $2 AND state = 'pending'
         RETURNING first_attempt_at < gatehouse_now() - make_interval(days => ${GIVE_UP_DAYS}) AS "isOver"`,
        [
          id,
          seq,
          attempt.status,
          attempt.fault,
          attempt.durationMs,
          RETRY.maxSeconds,
          RETRY.firstSeconds,
          RETRY.factor,
        ],
      );
      return rows[0]?.isOver ?? false;
    },
  };
}

/** The age of the oldest delivery that waits; 0 without any. */
export async function backlogSeconds(manager: EntityManager): Promise<number> {
  const [{ age }] = await manager.query<[{ age: number }]>(
    `SELECT coalesce(max(extract(epoch FROM gatehouse_now() - oldest.created_at)), 0)::float8 AS age
     FROM webhooks w CROSS JOIN LATERAL (SELECT created_at FROM webhook_deliveries d
       WHERE d.webhook_id = w.id AND d.state = 'pending' ORDER BY due_at LIMIT 1) AS oldest
     WHERE disabled_at IS NULL`,
  );
  return age;
}
