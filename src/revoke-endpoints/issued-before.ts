import type { EntityManager } from 'typeorm';

import { endInvitationsSentBefore, endLinksSentBefore } from '../accounts/index.js';
import { createRevocationStore } from '../credentials/index.js';
import { IS_EXPIRED, IS_REVOKED } from '../credentials/tables.js';

/** Numbers of active credentials that were revoked. */
export interface EndedCounts {
  readonly keys: number;
  /** Credentials of resource servers. */
  readonly serverCredentials: number;
  readonly operatorKeys: number;
  readonly grants: number;
  readonly sessions: number;
  readonly invitations: number;
  /** Links that were mailed to accounts, such as those that set a password. */
  readonly links: number;
}

export interface EndingBefore {
  /** Credentials issued before this time are revoked. */
  readonly time: Date;
  /**
   * Whether keys, personal tokens, operator keys and credentials of resource servers are revoked too, beside grants, sessions, pending
   * authorizations, invitations and links.
   */
  readonly withKeys: boolean;
  readonly by: string;
  readonly reason: string | null;
}

/** SQL condition: row `c` is active and was issued before the place `$1`. */
const WAS_ACTIVE = `c.issue_seq < $1 AND NOT ${IS_REVOKED}`;

/** SQL: subjects whose revocation ends everything but sessions, or grants only. */
const WIDE_SUBJECTS = {
  withKeys: `SELECT id AS subject FROM tenants UNION ALL SELECT id FROM resource_servers
    UNION ALL SELECT id FROM operator_keys`,
  withoutKeys: 'SELECT DISTINCT client_id AS subject FROM grants',
};

/**
 * Revokes all credentials issued before a time, in one transaction. Every replica refuses them from the next request on.
 *
 * Each tenant, resource server and operator key (or without keys, each client with a grant) is revoked at that place in the order of issues and
 * revocations, which replicas of earlier releases understand too. Sessions belong to no tenant and are ended one by one.
 *
 * @param manager of a transaction
 */
export async function endIssuedBefore(
  manager: EntityManager,
  { time, withKeys, by, reason }: EndingBefore,
): Promise<EndedCounts> {
  await createRevocationStore(manager).lockEverything();
  const cut = await findIssueOrder(manager, time);
  const ofTable = (table: string) =>
    withKeys ? count(manager, `${table} c WHERE ${WAS_ACTIVE} AND NOT ${IS_EXPIRED}`, cut) : 0;
  const keys = await ofTable('credentials');
  const serverCredentials = await ofTable('resource_server_credentials');
  const operatorKeys = await ofTable('operator_keys');
  const grants = await count(
    manager,
    `grants c WHERE ${WAS_ACTIVE} AND c.keep_until > gatehouse_now()`,
    cut,
  );
  const [{ sessions }] = await manager.query<[{ sessions: number }]>(
    `WITH ended AS (
       UPDATE sessions c SET expires_at = gatehouse_now(), payload = '{}'
       WHERE c.issue_seq < $1 AND NOT ${IS_EXPIRED} RETURNING c.account_id)
     SELECT count(account_id)::int AS sessions FROM ended`,
    [cut],
  );
  // A pending authorization can contain a login from before.
  await manager.query(
    `DELETE FROM oauth_artifacts
     WHERE kind = 'Interaction' AND created_at < $1`,
    [time],
  );
  await manager.query(
    `INSERT INTO revocations (subject, seq, reason, revoked_by)
     SELECT subject, $1, $2, $3
     FROM (${withKeys ? WIDE_SUBJECTS.withKeys : WIDE_SUBJECTS.withoutKeys}) AS wide
     ON CONFLICT DO NOTHING`,
    [cut, reason, by],
  );
  const invitations = await endInvitationsSentBefore(manager, time);
  const links = await endLinksSentBefore(manager, time);
  return { keys, serverCredentials, operatorKeys, grants, sessions, invitations, links };
}

/** The first place in the order of issues after all credentials issued before a time. */
async function findIssueOrder(manager: EntityManager, time: Date): Promise<string> {
  const [{ last }] = await manager.query<[{ last: string }]>(
    `SELECT greatest(
       (SELECT max(issue_seq) FROM credentials WHERE created_at < $1),
       (SELECT max(issue_seq) FROM resource_server_credentials WHERE created_at < $1),
       (SELECT max(issue_seq) FROM operator_keys WHERE created_at < $1),
       (SELECT max(issue_seq) FROM grants WHERE created_at < $1),
       (SELECT max(issue_seq) FROM sessions WHERE created_at < $1), 0) + 1 AS last`,
    [time],
  );
  return last;
}

async function count(manager: EntityManager, rows: string, cut: string): Promise<number> {
  const [row] = await manager.query<[{ count: number }]>(
    `SELECT count(*)::int AS count FROM ${rows}`,
    [cut],
  );
  return row.count;
}
