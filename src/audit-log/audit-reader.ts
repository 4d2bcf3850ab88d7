import type { EntityManager } from 'typeorm';

import type { PageRequest, PairPosition } from '../http/pagination.js';
import type { EntryFilter } from './entry-filters.js';
import { namedIn, presentEntry, type ShownEntry } from './entry-presenter.js';
import { findEntries, positionOf, type Entry } from './entry-store.js';
import { findNames } from './names.js';

/** An entry with its position in the log. */
export interface PlacedEntry {
  readonly position: PairPosition;
  readonly entry: ShownEntry;
}

/** A page of the log, newest first, up to one entry more than asked for. */
export interface FoundPage {
  readonly found: readonly PlacedEntry[];
  /** The position at which the search stopped early. The next page continues there. */
  readonly resumeAfter: PairPosition | undefined;
}

/** Reads the audit log, for the API, the console and the command line. */
export interface AuditReader {
  /** @throws RangeError for a limit above 1,000 */
  list(filter: EntryFilter, page: PageRequest<PairPosition>): Promise<FoundPage>;
}

/**
 * @param tenantId the tenant whose entries are read; `undefined` for the operator, who reads all. Entries without a tenant,
 *   such as sign-ins, are the operator's
 */
export function createAuditReader(
  manager: EntityManager,
  tenantId: string | undefined,
): AuditReader {
  return {
    async list(given, page) {
      const filter = await withActor(manager, given);
      const { found, resumeAfter } = await findEntries(manager, tenantId, filter, page);
      const names = await findNames(manager, tenantId, found.flatMap(namedIn));
      const place = (entry: Entry) => ({
        position: positionOf(entry),
        entry: presentEntry(entry, names),
      });
      return { found: found.map(place), resumeAfter };
    },
  };
}

/** An actor can be named by email address. An unknown one has no entries. */
async function withActor(manager: EntityManager, filter: EntryFilter): Promise<EntryFilter> {
  const { actor } = filter;
  if (actor?.includes('@') !== true || actor.startsWith('usr_')) return filter;
  const [account] = await manager.query<{ id: string }[]>(
    'SELECT id FROM accounts WHERE email = lower($1)',
    [actor],
  );
  return { ...filter, actor: account?.id ?? actor };
}
