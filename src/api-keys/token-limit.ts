import type { EntityManager } from 'typeorm';

import { IS_EXPIRED, IS_REVOKED } from '../credentials/verdict-sql.js';
import { Problem } from '../http/problem.js';

/** Personal tokens of one account in one tenant that are neither expired nor revoked. */
const MAX_LIVING = 100;
/** Those that are created within a day, rotated ones too: their rows are kept when they have ended. */
const MAX_A_DAY = 300;
const DAY_SECONDS = 86_400;

interface Owner {
  readonly accountId: string;
  readonly tenantId: string;
}

const OF_OWNER = `c.principal_kind = 'user' AND c.principal_id = $1 AND c.tenant_id = $2`;

/**
 * Takes the turn of an account to create a personal token, until the transaction ends.
 *
 * @param manager a transaction's
 * @param isReplacement whether another token ends in the same transaction
 * @throws Problem `conflict` if the account has as many as it may have; `rate_limited` if it has created as
 *   many as it may within a day
 */
export async function assertRoomForToken(
  manager: EntityManager,
  { accountId, tenantId }: Owner,
  isReplacement: boolean,
): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `personal tokens of ${accountId}@${tenantId}`,
  ]);
  const [recent] = await manager.query<{ wait: number }[]>(
    `SELECT ceil(extract(epoch FROM c.created_at + make_interval(secs => $4) - gatehouse_now()))::int AS wait
     FROM credentials c WHERE ${OF_OWNER} ORDER BY c.issue_seq DESC OFFSET $3 LIMIT 1`,
    [accountId, tenantId, MAX_A_DAY - 1, DAY_SECONDS],
  );
  if (recent !== undefined && recent.wait > 0) {
    throw new Problem(
      'rate_limited',
      `You have created ${MAX_A_DAY} personal tokens within a day. Try again later.`,
      { headers: { 'Retry-After': String(recent.wait) } },
    );
  }
  if (isReplacement) return;
  const [living] = await manager.query<[{ count: number }]>(
    `SELECT count(*)::int FROM credentials c
     WHERE ${OF_OWNER} AND NOT ${IS_EXPIRED} AND NOT ${IS_REVOKED}`,
    [accountId, tenantId],
  );
  if (living.count < MAX_LIVING) return;
  throw new Problem(
    'conflict',
    `You have ${MAX_LIVING} personal tokens in this organization, which is the most. Revoke one first.`,
  );
}
