import type { EntityManager } from 'typeorm';

import type { KeyKind } from '../../credentials/kinds.js';
import { prepared } from '../../db/prepared.js';
import { APP } from '../connected-apps/paths.js';
import { sectionOf } from '../keys/key-section.js';
import { MEMBER } from '../members/paths.js';
import type { OrganizationContext } from '../organization-context.js';
import { RENAME } from '../spaces/paths.js';
import { WEBHOOK } from '../webhooks/paths.js';

/** A thing of the organization that has a page. */
interface FoundThing {
  readonly id: string;
  readonly type: 'key' | 'member' | 'space' | 'app' | 'webhook';
  /** For a key. */
  readonly kind: KeyKind | null;
  /** The principal of a key, or the client of an app. */
  readonly of: string | null;
}

/** perf: each table is looked up by the first columns of an index, only for ids that have its prefix. */
const FIND_THINGS = {
  name: 'things-with-pages',
  text: `
    WITH wanted AS (SELECT DISTINCT id FROM unnest($2::text[]) AS given (id))
    SELECT c.id, 'key' AS type, c.kind, c.principal_id AS of FROM wanted JOIN credentials c ON c.id = wanted.id
      WHERE starts_with(wanted.id, 'key_') AND c.tenant_id = $1
    UNION ALL SELECT m.account_id, 'member', NULL, NULL FROM wanted JOIN memberships m ON m.account_id = wanted.id
      WHERE starts_with(wanted.id, 'usr_') AND m.tenant_id = $1
    UNION ALL SELECT s.id, 'space', NULL, NULL FROM wanted JOIN spaces s ON s.id = wanted.id
      WHERE starts_with(wanted.id, 'spc_') AND s.tenant_id = $1
    UNION ALL SELECT g.id, 'app', NULL, g.client_id FROM wanted JOIN grants g ON g.id = wanted.id
      WHERE starts_with(wanted.id, 'grt_') AND g.tenant_id = $1
    UNION ALL SELECT w.id, 'webhook', NULL, NULL FROM wanted JOIN webhooks w ON w.id = wanted.id
      WHERE starts_with(wanted.id, 'whk_') AND w.tenant_id = $1
    UNION ALL SELECT wanted.id, 'app', NULL, wanted.id FROM wanted
      WHERE (starts_with(wanted.id, 'cli_') OR starts_with(wanted.id, 'https://'))
        AND (EXISTS (SELECT FROM grants g WHERE g.tenant_id = $1 AND g.client_id = wanted.id)
          OR EXISTS (SELECT FROM client_blocks b WHERE b.tenant_id = $1 AND b.client_id = wanted.id))`,
};

/** The addresses of pages by the ids of things. */
export type EntryLinks = ReadonlyMap<string, string>;

/**
 * Finds the pages of things that entries name, by one statement. Things that were deleted have none, and neither have the
 * personal tokens of others.
 *
 * @param at the administrator who reads the log
 */
export async function findEntryLinks(
  manager: EntityManager,
  at: OrganizationContext,
  ids: readonly string[],
): Promise<EntryLinks> {
  if (ids.length === 0) return new Map();
  const things = await prepared(manager)<FoundThing>(FIND_THINGS, [at.tenantId, ids]);
  const links = things.flatMap((thing) => {
    const page = pageOf(thing, at);
    return page === undefined ? [] : [[thing.id, page] as const];
  });
  return new Map([...links, [at.tenantId, at.href('/settings/general')]]);
}

function pageOf(
  { id, type, kind, of }: FoundThing,
  { accountId, href }: OrganizationContext,
): string | undefined {
  if (type === 'member') return href(MEMBER.replace(':id', id));
  if (type === 'space') return href(RENAME.replace(':id', id));
  if (type === 'webhook') return href(WEBHOOK.replace(':id', id));
  if (type === 'app') return href(APP, { client: of ?? '' });
  const { path, isOwn } = sectionOf(kind ?? 'secret');
  return isOwn && of !== accountId ? undefined : href(`${path}/${id}`);
}
