import { createHash } from 'node:crypto';
import type { Context } from 'koa';
import type { EntityManager } from 'typeorm';

import { inBatches } from '../db/batches.js';
import { IdempotencyRecord } from './idempotency.entity.js';
import { Problem } from './problem.js';

/** What encrypts remembered answers. */
export interface Sealer {
  seal(plaintext: Buffer, context: string): { ciphertext: Buffer; keyId: string };
  open(sealed: { ciphertext: Buffer; keyId: string }, context: string): Buffer;
}

/** Who asks, as far as remembered answers care. */
export interface Caller {
  /** Within what keys are unique: the tenant. */
  readonly scope: string;
  /** Everything about the caller that makes a request another request: principal, environment. */
  readonly identity: readonly string[];
}

const HOURS_KEPT = 24;
const MAX_KEY_LENGTH = 255;

/** Remembers the answers to requests with an `Idempotency-Key`. */
export interface Idempotency {
  /**
   * Does the work, or answers as the first time. Runs inside the transaction of the work, so that
   * the answer is remembered if and only if the work was done.
   *
   * @param perform does the work and sets the answer on `ctx`
   * @throws Problem `bad_request` for an impossible key, `idempotency_key_reused` when it belongs
   *   to another request, `conflict` while the first request is still running
   */
  once(
    ctx: Context,
    manager: EntityManager,
    caller: Caller,
    request: { key: string; body: Buffer },
    perform: () => Promise<void>,
  ): Promise<void>;
}

/** @param headers those of a request, beyond its target, that make another request of it */
export function createIdempotency(sealer: Sealer, headers: readonly string[]): Idempotency {
  return {
    async once(ctx, manager, { scope, identity }, { key, body }, perform) {
      if (!/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(key) || key.length > MAX_KEY_LENGTH) {
        throw new Problem(
          'bad_request',
          `Idempotency-Key must be 1 to ${MAX_KEY_LENGTH} printable ASCII characters.`,
        );
      }
      await lockKey(manager, scope, key);
      const target = [ctx.method, ctx.path, ctx.querystring, ...sentOf(ctx, headers)];
      const fingerprint = fingerprintOf([...target, ...identity], body);
      const context = `idempotency ${scope} ${key}`;
      const first = await findRecord(manager, scope, key);
      if (first !== null) {
        if (first.fingerprint !== fingerprint) {
          throw new Problem(
            'idempotency_key_reused',
            'This Idempotency-Key was used for another request. Use a new one for each operation.',
          );
        }
        const answer = sealer.open({ ciphertext: first.body, keyId: first.bodyKeyId }, context);
        replay(ctx, first.status, answer);
        return;
      }

      await perform();
      if (ctx.status < 200 || ctx.status > 299) return;
      const answer = typeof ctx.body === 'string' ? Buffer.from(ctx.body) : Buffer.alloc(0);
      const { ciphertext, keyId } = sealer.seal(answer, context);
      // An expired record of the same key may still be there.
      await manager.upsert(
        IdempotencyRecord,
        {
          scope,
          key,
          fingerprint,
          status: ctx.status,
          body: ciphertext,
          bodyKeyId: keyId,
          createdAt: () => 'gatehouse_now()',
        },
        ['scope', 'key'],
      );
    },
  };
}

/**
 * Forgets all that is older than a day, a bounded number of records at a time: each is a statement
 * of its own, so that none runs into the time limit.
 *
 * @param signal ends it after the records that are just being forgotten
 */
export function deleteExpiredResponses(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [{ count }] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (
         DELETE FROM idempotency_records WHERE (scope, key) IN (
           SELECT scope, key FROM idempotency_records
           WHERE created_at <= gatehouse_now() - make_interval(hours => $1)
           LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [HOURS_KEPT, limit],
    );
    return count;
  }, signal);
}

async function lockKey(manager: EntityManager, scope: string, key: string): Promise<void> {
  // Held until the transaction ends, however it ends: also when the server dies.
  const [row] = await manager.query<[{ locked: boolean }]>(
    `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 1)) AS locked`,
    [JSON.stringify([scope, key])],
  );
  if (row.locked) return;
  throw new Problem('conflict', 'The first request with this Idempotency-Key is still running.', {
    headers: { 'Retry-After': '1' },
  });
}

function findRecord(
  manager: EntityManager,
  scope: string,
  key: string,
): Promise<IdempotencyRecord | null> {
  return manager
    .createQueryBuilder(IdempotencyRecord, 'record')
    .where({ scope, key })
    .andWhere('record.created_at > gatehouse_now() - make_interval(hours => :hours)', {
      hours: HOURS_KEPT,
    })
    .getOne();
}

/** Those headers that were sent, each with its value. */
function sentOf(ctx: Context, headers: readonly string[]): readonly string[] {
  return headers.flatMap((name) => (ctx.get(name) === '' ? [] : [name, ctx.get(name)]));
}

function fingerprintOf(parts: readonly string[], body: Buffer): string {
  return createHash('sha256').update(JSON.stringify(parts)).update('\n').update(body).digest('hex');
}

function replay(ctx: Context, status: number, body: Buffer): void {
  ctx.status = status;
  ctx.set('Idempotent-Replayed', 'true');
  if (body.length > 0) {
    ctx.type = 'application/json';
    ctx.body = body.toString();
  }
}
