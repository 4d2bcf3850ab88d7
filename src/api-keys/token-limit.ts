import type { EntityManager } from 'typeorm';

import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';
import { Problem } from '../http/errors/problem.js';

/** Maximum active personal tokens of an account in a tenant. */
const MAX_ACTIVE = 100;
/** Maximum personal tokens created within a day, rotations included: rows of ended tokens are kept. */
const MAX_A_DAY = 300;
const DAY_SECONDS = 86_400;

interface Owner {
  readonly accountId: string;
  readonly tenantId: string;
}

const OF_OWNER = `c.principal_kind = 'user' AND c.principal_id = $1 AND c.tenant_id = $2`;

/**
 * Serializes the creation of an account's personal tokens until the transaction ends, and checks their number.
 *
 * @param manager of a transaction
 * @param isReplacement whether another token ends in the same transaction
 * @throws Problem `conflict` for too many active tokens; `rate_limited` for too many created within a day
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
  if (living.count < MAX_ACTIVE) return;
  throw new Problem(
    'conflict',
    `You have ${MAX_ACTIVE} personal tokens in this organization, which is the maximum. Revoke one first.`,
  );
}
