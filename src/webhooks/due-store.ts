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

/** A delivery that is due. Earlier ones of its subject are not pending, or come before it. */
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

/** Longer than a round and its last requests take. */
const LEASE_SECONDS = 60;
const BATCH = 100;
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
         WHERE disabled_at IS NULL AND resume_at <= gatehouse_now()
           AND (lease_until IS NULL OR lease_until <= gatehouse_now())
           AND EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'pending'
             AND d.due_at <= gatehouse_now())`,
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

    /** Prolongs the claim. @returns false if it was lost, or the webhook is disabled or deleted */
    async prolong({ id, lease }: Claim): Promise<boolean> {
      const [, count] = await manager.query<[unknown, number]>(
        `UPDATE webhooks SET lease_until = gatehouse_now() + make_interval(secs => $3)
         WHERE id = $1 AND lease = $2 AND disabled_at IS NULL AND lease_until > gatehouse_now()`,
        [id, lease, LEASE_SECONDS],
      );
      return count > 0;
    },

    /** Ends the pauses of a webhook that answers again. */
    async noteAnswering({ id }: Claim): Promise<void> {
      await manager.query('UPDATE webhooks SET failures = 0 WHERE id = $1 AND failures > 0', [id]);
    },

    /** Pauses a webhook that answers nothing, longer each time. */
    async pause({ id }: Claim): Promise<void> {
      await manager.query(
        `UPDATE webhooks SET failures = failures + 1, resume_at = gatehouse_now()
           + make_interval(secs => least($2, $3 * power(2, least(failures, 20)))) WHERE id = $1`,
        [id, PAUSE.maxSeconds, PAUSE.firstSeconds],
      );
    },
  };
}

/** The deliveries of a claimed webhook that are due, by the database's clock. */
export function createDueStore(manager: EntityManager) {
  return {
    /** The deliveries that are due, oldest first, without subjects whose oldest one waits for another try. */
    due({ id }: Claim): Promise<readonly Due[]> {
      return manager.query(
        `SELECT d.seq, d.subject, (SELECT ${EVENT_JSON} FROM audit_log e
           WHERE e.at = d.event_at AND e.id = d.event_id) AS event
         FROM webhook_deliveries d
         WHERE d.webhook_id = $1 AND d.state = 'pending' AND d.due_at <= gatehouse_now()
           AND NOT EXISTS (SELECT FROM webhook_deliveries earlier
             WHERE earlier.webhook_id = d.webhook_id AND earlier.subject = d.subject
               AND earlier.state = 'pending' AND earlier.seq < d.seq AND earlier.due_at > gatehouse_now())
         ORDER BY d.seq LIMIT ${BATCH}`,
        [id],
      );
    },

    async noteSuccess({ id }: Claim, seq: string, attempt: Attempt): Promise<void> {
      await manager.query(
        `UPDATE webhook_deliveries SET state = 'delivered', attempts = attempts + 1, status = $3, fault = NULL,
           duration_ms = $4, last_attempt_at = gatehouse_now(),
           first_attempt_at = coalesce(first_attempt_at, gatehouse_now())
         WHERE webhook_id = $1 AND seq = $2`,
        [id, seq, attempt.status, attempt.durationMs],
      );
    },

    /** @returns whether it has been tried for three days */
    async noteFailure({ id }: Claim, seq: string, attempt: Attempt): Promise<boolean> {
      const [rows] = await manager.query<[{ isOver: boolean }[], number]>(
        `UPDATE webhook_deliveries SET attempts = attempts + 1, status = $3, fault = $4, duration_ms = $5,
           last_attempt_at = gatehouse_now(),
           first_attempt_at = coalesce(first_attempt_at, gatehouse_now()),
           due_at = gatehouse_now() + make_interval(
             secs => least($6, $7 * power($8, least(attempts, 10))) * (0.9 + 0.2 * random()))
         WHERE webhook_id = $1 AND seq = $2
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
