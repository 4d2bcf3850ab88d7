import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';

/**
 * Finds the account of a session that has ended, as long as its row is kept.
 * @param secret the value of the session's cookie
 */
export async function findFormerAccount(
  manager: EntityManager,
  keyring: Pick<Keyring, 'digests'>,
  secret: string,
): Promise<string | undefined> {
  const [ended] = await manager.query<{ accountId: string | null }[]>(
    `SELECT c.account_id AS "accountId" FROM sessions c
     WHERE c.digest = ANY ($1) AND (${IS_EXPIRED} OR ${IS_REVOKED})`,
    [keyring.digests(secret)],
  );
  return ended?.accountId ?? undefined;
}
