import type { EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../../audit/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../../credentials/tables.js';
import { skipSequences } from '../../db/sequences.js';
import { timestamp } from '../../http/validation.js';
import { type EndedCounts, endIssuedBefore } from '../../revoke-endpoints/index.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';
import { parseOption } from '../parse-option.js';

/** Keys that are listed for the operator to decide on. */
const MAX_LISTED = 1000;

/**
 * The time that an option names. `now` is the time of the database, to the millisecond: `date` of a shell drops the
 * fraction of a second, and what was issued in it would stay valid.
 * @throws Refused if it lies ahead: credentials issued until then would be ended before they exist
 */
async function pastTime(manager: EntityManager, name: string, text: string): Promise<Date> {
  if (text === 'now') {
    const [{ now }] = await manager.query<[{ now: Date }]>('SELECT gatehouse_now() AS now');
    return now;
  }
  const time = parseOption(name, timestamp(), text);
  const [{ isAhead }] = await manager.query<[{ isAhead: boolean }]>(
    `SELECT $1::timestamptz > gatehouse_now() AS "isAhead"`,
    [time],
  );
  if (isAhead) throw new Refused(`--${name}: ${time.toISOString()} lies ahead.`);
  return time;
}

/** `revoke --issued-before`: ends everything, of every kind. */
export async function revokeIssuedBefore(
  manager: EntityManager,
  issuedBefore: string,
  reason: string | null,
): Promise<object> {
  const time = await pastTime(manager, 'issued-before', issuedBefore);
  const ended = await end(manager, { time, withKeys: true, reason }, 'everything.revoke');
  return { issuedBefore: time, ended, reason };
}

/** Ends everything that was issued before a restored state but keys, and keys if they are meant too. */
export async function recover(
  { manager }: CommandContext,
  { since, keys: withKeys }: { readonly since: string; readonly keys: boolean },
) {
  const time = await pastTime(manager, 'since', since);
  const reason = `recovery of what was lost since ${time.toISOString()}`;
  const ended = await end(manager, { time, withKeys, reason }, 'everything.recover');
  await skipSequences(manager, time);
  return {
    since: time,
    ended,
    issuedSince: await countIssuedSince(manager, time),
    keysToDecideOn: withKeys ? [] : await listKeys(manager, time),
  };
}

async function end(
  manager: EntityManager,
  what: { readonly time: Date; readonly withKeys: boolean; readonly reason: string | null },
  action: string,
): Promise<EndedCounts> {
  const ended = await endIssuedBefore(manager, { ...what, by: OPERATOR.id });
  await createAuditLog(manager).record(OPERATOR, {
    tenantId: null,
    action,
    subject: '*',
    details: { issuedBefore: what.time, keys: what.withKeys, ended, reason: what.reason },
  });
  return ended;
}

/** Counts credentials that stay valid. If some were issued before the servers were back, the time was too early. */
async function countIssuedSince(manager: EntityManager, time: Date): Promise<object> {
  const [counts] = await manager.query<[object]>(
    `SELECT (SELECT count(*)::int FROM grants WHERE created_at >= $1) AS grants,
       (SELECT count(account_id)::int FROM sessions WHERE created_at >= $1) AS sessions,
       (SELECT count(*)::int FROM credentials WHERE created_at >= $1) AS keys,
       (SELECT count(*)::int FROM resource_server_credentials WHERE created_at >= $1)
         AS "serverCredentials",
       (SELECT count(*)::int FROM operator_keys WHERE created_at >= $1) AS "operatorKeys"`,
    [time],
  );
  return counts;
}

/**
 * Keys that stay valid although their end may have been lost: the operator's and those of resource servers, then the others, those that were
 * used last first.
 */
async function listKeys(manager: EntityManager, time: Date): Promise<readonly object[]> {
  return manager.query<object[]>(
    `SELECT * FROM (
       SELECT c.id, c.tenant_id AS "tenantId", c.kind, c.name, c.created_at AS "createdAt",
         u.used_at AS "lastUsedAt"
       FROM credentials c LEFT JOIN credential_uses u ON u.credential_id = c.id
       WHERE c.created_at < $1 AND NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}
       UNION ALL
       SELECT c.id, NULL, 'resource_server', s.name, c.created_at, NULL
       FROM resource_server_credentials c JOIN resource_servers s ON s.id = c.server_id
       WHERE c.created_at < $1 AND NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}
       UNION ALL
       SELECT c.id, NULL, 'operator', c.name, c.created_at, NULL FROM operator_keys c
       WHERE c.created_at < $1 AND NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}) AS active
     ORDER BY kind IN ('operator', 'resource_server') DESC, "lastUsedAt" DESC NULLS LAST, id LIMIT ${MAX_LISTED}`,
    [time],
  );
}
