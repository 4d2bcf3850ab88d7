import { createHash } from 'node:crypto';
import type { Context } from 'koa';
import type { EntityManager } from 'typeorm';

import { inBatches } from '../../db/batches.js';
import { IdempotencyRecord } from './idempotency.entity.js';
import { Problem } from '../errors/problem.js';

/** Encrypts stored responses. */
export interface Sealer {
  seal(plaintext: Buffer, context: string): { ciphertext: Buffer; keyId: string };
  open(sealed: { ciphertext: Buffer; keyId: string }, context: string): Buffer;
}

/** The caller to whom idempotency keys belong. */
export interface Caller {
  /** The tenant, within which keys are unique. */
  readonly scope: string;
  /** Parts of the fingerprint: principal and environment. */
  readonly identity: readonly string[];
}

const HOURS_KEPT = 24;
const MAX_KEY_LENGTH = 255;

/** Stores and replays the responses to requests with an `Idempotency-Key`. */
export interface Idempotency {
  /**
   * Performs the work, or replays the response of the first request. It runs in the transaction of the work, so that
   * the response is stored if and only if the work was done.
   *
   * @param perform does the work and sets the response on `ctx`
   * @throws Problem `bad_request` for a malformed key, `idempotency_key_reused` if the key belongs to another
   *   request, `conflict` while the first request is running
   */
  once(
    ctx: Context,
    manager: EntityManager,
    caller: Caller,
    request: { key: string; body: Buffer },
    perform: () => Promise<void>,
  ): Promise<void>;
}

/** @param headers request headers that are part of the fingerprint */
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
 * Deletes responses that are older than a day, in batches that stay within the statement timeout.
 *
 * @param signal stops after the current batch
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
  // Released at the end of the transaction, also if the server dies.
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

/** The sent headers among these, each with its value. */
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
