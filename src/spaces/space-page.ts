import type { EntityManager } from 'typeorm';

import { keptRead, readJoined, type JoinableRead } from '../db/joined-reads.js';
import { pack, type Column, type Packed } from '../db/packed-rows.js';
import { LATEST, rowsToFetch } from '../db/space-rows.js';
import { createRowWriter, type WrittenRow } from '../db/written-rows.js';
import type { PageRequest } from '../http/pagination.js';

/** The members of a space in the API, as `presentSpace` has them. */
const SPACES: readonly Column[] = [
  { member: 'seq', name: 'seq', type: 'position' },
  { member: 'id', name: 'id', type: 'text' },
  { member: 'name', name: 'name', type: 'text' },
  { member: 'isDefault', name: 'is_default', type: 'boolean' },
  { member: 'createdAt', name: 'created_at', type: 'time' },
  { member: 'externalId', name: 'external_id', type: 'text', isRare: true },
  { member: 'metadata', name: 'metadata', type: 'object', isRare: true },
];

const writer = createRowWriter(SPACES);

function readOf(fetched: number): JoinableRead {
  const range = `FROM spaces WHERE tenant_id = asked.p1 AND seq < asked.p2 ORDER BY seq DESC LIMIT ${fetched}`;
  return keptRead(`list-spaces-${fetched}`, () => ({
    text: pack(SPACES, range),
    types: ['text', 'bigint'],
  }));
}

/**
 * Reads a page of all spaces of a tenant as JSON, newest first, up to one more row than asked for (perf: decision 21).
 *
 * @returns `undefined` for names with control characters: read the rows one by one then
 * @throws RangeError for a limit above 1,000
 */
export async function findWritten(
  manager: EntityManager,
  tenantId: string,
  { limit, after }: PageRequest,
): Promise<readonly WrittenRow[] | undefined> {
  const packed = await readJoined<Packed>(manager, readOf(rowsToFetch(limit)), [
    tenantId,
    after === undefined ? LATEST : String(after),
  ]);
  return writer.writePage(packed)?.slice(0, limit + 1);
}
