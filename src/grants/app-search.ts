import type { EntityManager } from 'typeorm';

import { IS_REVOKED } from '../credentials/tables.js';
import { prepared } from '../db/prepared.js';
import { LATEST } from '../db/space-rows.js';

/** The apps to search: those that an account uses in a tenant, or those of the whole tenant. */
export interface AppSearch {
  readonly tenantId: string;
  readonly accountId?: string | undefined;
  /** The words that the name holds, in any case and order. */
  readonly words: readonly string[];
  readonly limit: number;
  /** The id of the client after which the search continues. */
  readonly after: string | undefined;
}

export interface FoundApps {
  /** In the order of their ids. */
  readonly found: readonly { readonly clientId: string; readonly name: string }[];
  /** The id after which the search continues; `undefined` at its end. */
  readonly resumeAfter: string | undefined;
  /** Whether an account has more grants than a search examines. */
  readonly isCutShort: boolean;
}

/** Bounds the clients of a tenant that one search examines. */
const MAX_EXAMINED = 5000;
/** Bounds the grants of an account, the newest, whose clients one search examines. */
const MAX_OWN_GRANTS = 1000;
/** Bounds the clients with a matching name whose grants one search examines. */
const MAX_MATCHING = 20;
/** Bounds the grants that are examined for one client. A client with more of them counts as connected. */
const MAX_GRANTS = 500;

const IS_ACTIVE = `NOT ${IS_REVOKED} AND c.keep_until > gatehouse_now()`;

/** The first client of the tenant behind another. */
const nextAfter = (client: string) => `SELECT c.client_id FROM grants c
  WHERE c.tenant_id = $1 AND c.client_id > ${client} ORDER BY c.client_id LIMIT 1`;

/** Names are looked up client by client: a join would let the planner read the whole table. */
const matchingIn = (clients: string) => `matching AS MATERIALIZED (
  SELECT ${clients}.client_id, client.name FROM ${clients} CROSS JOIN LATERAL (
    SELECT name FROM clients WHERE id = ${clients}.client_id OFFSET 0) AS client
  WHERE NOT EXISTS (
    SELECT FROM unnest($2::text[]) AS word WHERE strpos(lower(client.name), lower(word)) = 0)
  ORDER BY ${clients}.client_id LIMIT ${MAX_MATCHING})`;

/** Steps from one client to the next through an index, so the number of grants of a client does not matter. */
const OF_TENANT = {
  name: 'search-apps-tenant',
  text: `WITH RECURSIVE step (client_id) AS (
      (${nextAfter('$3')})
      UNION ALL
      SELECT next.client_id FROM step CROSS JOIN LATERAL (${nextAfter('step.client_id')}) AS next),
    examined AS MATERIALIZED (SELECT client_id FROM step LIMIT ${MAX_EXAMINED}),
    ${matchingIn('examined')}
  SELECT matching.client_id AS "clientId", matching.name,
    (SELECT count(*) FILTER (WHERE ${IS_ACTIVE}) > 0 OR count(*) >= ${MAX_GRANTS}
     FROM (SELECT c.* FROM grants c WHERE c.tenant_id = $1 AND c.client_id = matching.client_id
       ORDER BY c.issue_seq DESC LIMIT ${MAX_GRANTS}) AS c) AS "isConnected",
    (SELECT max(client_id) FROM examined HAVING count(*) >= ${MAX_EXAMINED}) AS "lastExamined",
    false AS "isCutShort"
  FROM (SELECT) AS one LEFT JOIN matching ON true ORDER BY matching.client_id`,
};

/** The newest grant of the account before another. */
const newestBefore = (issueSeq: string) => `SELECT c.* FROM grants c
  WHERE c.account_id = $4 AND c.tenant_id = $1 AND c.issue_seq < ${issueSeq}
  ORDER BY c.issue_seq DESC LIMIT 1`;

/** Steps from grant to grant: for one statement with a large limit, the planner would read and sort all of them. */
const OF_ACCOUNT = {
  name: 'search-apps-account',
  text: `WITH RECURSIVE step AS (
      (${newestBefore(`'${LATEST}'::bigint`)})
      UNION ALL
      SELECT older.* FROM step CROSS JOIN LATERAL (${newestBefore('step.issue_seq')}) AS older),
    examined AS MATERIALIZED (SELECT * FROM step LIMIT ${MAX_OWN_GRANTS}),
    active AS MATERIALIZED (
      SELECT DISTINCT c.client_id FROM examined c WHERE c.client_id > $3 AND ${IS_ACTIVE}),
    ${matchingIn('active')}
  SELECT matching.client_id AS "clientId", matching.name, true AS "isConnected", NULL AS "lastExamined",
    (SELECT count(*) FROM examined) >= ${MAX_OWN_GRANTS} AS "isCutShort"
  FROM (SELECT) AS one LEFT JOIN matching ON true ORDER BY matching.client_id`,
};

/**
 * Finds connected apps by their names. One search reads a bounded number of rows, whatever the size of the tenant. The
 * apps of an account are those of its newest `MAX_OWN_GRANTS` grants.
 */
export async function searchApps(
  manager: EntityManager,
  { tenantId, accountId, words, limit, after = '' }: AppSearch,
): Promise<FoundApps> {
  const values = [tenantId, words, after];
  const rows =
    accountId === undefined
      ? await prepared(manager)<Row>(OF_TENANT, values)
      : await prepared(manager)<Row>(OF_ACCOUNT, [...values, accountId]);
  const matching = rows.filter((row): row is MatchingRow => row.clientId !== null);
  const connected = matching.filter(({ isConnected }) => isConnected);
  const found = connected.slice(0, limit).map(({ clientId, name }) => ({ clientId, name }));
  const isCutShort = rows.some((row) => row.isCutShort);
  if (connected.length > limit) {
    return { found, resumeAfter: found.at(-1)?.clientId, isCutShort };
  }
  const lastMatching = matching.length < MAX_MATCHING ? undefined : matching.at(-1)?.clientId;
  return { found, resumeAfter: lastMatching ?? rows[0]?.lastExamined ?? undefined, isCutShort };
}

interface Bounds {
  readonly lastExamined: string | null;
  readonly isCutShort: boolean;
}

interface MatchingRow extends Bounds {
  readonly clientId: string;
  readonly name: string;
  readonly isConnected: boolean;
}

/** A search without a match answers one row without a client. */
type Row = MatchingRow | (Bounds & { readonly clientId: null });
