import type { EntityManager } from 'typeorm';

import { IS_VALID } from '../../credentials/tables.js';
import { DOCUMENT } from '../../scopes/catalog.js';
import {
  catalogSchema,
  publicScopeNamesOf,
  readCatalog,
  scopeNamesOf,
  type CatalogDocument,
} from '../../scopes/catalog-document.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';

/** Rows that hold a scope or a role which a catalogue lacks. */
interface Touched {
  readonly name: string;
  readonly held:
    | 'keys'
    /** Keys whose scope is in the catalogue, but not public. */
    | 'publishable keys'
    | 'grants'
    | 'clients'
    | 'resource servers'
    | 'members'
    | 'invitations';
  readonly count: number;
  /** The ids of a few of them. */
  readonly examples: readonly string[];
}

const MAX_EXAMPLES = 5;

/** Names that are stored, each with the sort of row that holds it and the id of the row. Ended credentials do not count. */
const STORED = `
  SELECT 'keys' AS held, scope AS name, id FROM credentials c, unnest(c.scopes) AS scope
    WHERE ${IS_VALID}
  UNION ALL
  SELECT 'grants', scope, id FROM grants g, unnest(g.scopes) AS scope WHERE g.keep_until > gatehouse_now()
  UNION ALL
  SELECT 'clients', scope, id FROM clients, unnest(string_to_array(metadata->>'scope', ' ')) AS scope
  UNION ALL
  SELECT 'resource servers', scope, id FROM resource_servers s, unnest(s.scopes) AS scope
  UNION ALL
  SELECT 'members', role, account_id || '@' || tenant_id FROM memberships
  UNION ALL
  SELECT 'invitations', role, id FROM invitations WHERE expires_at > gatehouse_now()`;

/** @throws Refused with every fault of the file */
export async function checkCatalog(
  { manager }: CommandContext,
  { file }: { readonly file: string },
): Promise<{ readonly file: string; readonly touched: readonly Touched[] }> {
  const { document, faults } = readCatalog(file);
  if (document === undefined) {
    throw new Refused(`${file} has faults:`, faults);
  }
  const touched = [
    ...(await findTouched(manager, document)),
    ...(await findExposed(manager, document)),
  ];
  return { file, touched };
}

/** The document of the catalogue in use. */
export function showCatalog(): object {
  return DOCUMENT;
}

/** The JSON Schema of a catalogue's document. */
export function showSchema(): object {
  return catalogSchema();
}

/**
 * Finds the rows that a catalogue touches: their scope or role is not in it, and is not renamed by it. Reads every key and
 * grant once.
 */
async function findTouched(
  manager: EntityManager,
  catalog: CatalogDocument,
): Promise<readonly Touched[]> {
  const known = [
    ...scopeNamesOf(catalog),
    ...catalog.roles.map(({ name }) => name),
    ...Object.keys(catalog.renamed),
  ];
  return manager.query<Touched[]>(
    `SELECT name, held, count(*)::int AS count, (array_agg(id))[1:${MAX_EXAMPLES}] AS examples
     FROM (${STORED}) AS stored
     WHERE NOT name = ANY($1)
     GROUP BY name, held ORDER BY name, held`,
    [known],
  );
}

/** Finds the publishable keys that have a scope of the catalogue which it does not let them carry. */
async function findExposed(
  manager: EntityManager,
  catalog: CatalogDocument,
): Promise<readonly Touched[]> {
  const open = publicScopeNamesOf(catalog);
  const closed = [
    ...scopeNamesOf(catalog).filter((name) => !open.includes(name)),
    ...Object.entries(catalog.renamed)
      .filter(([, today]) => !open.includes(today))
      .map(([former]) => former),
  ];
  return manager.query<Touched[]>(
    `SELECT scope AS name, 'publishable keys' AS held, count(*)::int AS count,
       (array_agg(id))[1:${MAX_EXAMPLES}] AS examples
     FROM credentials c, unnest(c.scopes) AS scope
     WHERE c.kind = 'publishable' AND ${IS_VALID} AND scope = ANY($1)
     GROUP BY scope ORDER BY scope`,
    [closed],
  );
}
