import type { EntityManager } from 'typeorm';

import { prepared, type RunPrepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import type { PageRequest, PairPosition } from '../http/pagination.js';
import type { EntryFilter } from './entry-filters.js';

/** An entry of the audit log, as stored. */
export interface Entry {
  readonly id: number;
  /** Microseconds since the epoch. */
  readonly micros: number;
  readonly tenantId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly address: string | null;
  readonly requestId: string | null;
  /** How often it happened, for refusals that share one entry. */
  readonly occurrences: number;
}

/** A page of the log, newest first, up to one entry more than asked for. */
export interface FoundEntries {
  readonly found: readonly Entry[];
  /** The position at which the search stopped early. The next page continues there. */
  readonly resumeAfter: PairPosition | undefined;
}

/** Bounds the entries that one page examines for filters that no index covers. */
const MAX_EXAMINED = 10_000;

/** Whether an entry is a refused attempt, by its action. */
export const REFUSED_SUFFIX = 'refused';

type Row = Readonly<
  Omit<Entry, 'id' | 'micros'> & { readonly id: string; readonly micros: string }
>;

/** One condition. */
interface Condition {
  /** One letter, unique: the letters of the conditions are part of the name of the statement. */
  readonly name: string;
  readonly sql: (parameter: string) => string;
  readonly value: unknown;
}

const SELECTION = `id, (extract(epoch FROM at) * 1000000)::bigint AS micros, tenant_id AS "tenantId", actor, action,
  subject, details, address, request_id AS "requestId", occurrences`;
const ORDER = 'ORDER BY at DESC, id DESC';

/** The position of an entry in the order of the log. */
export function positionOf({ micros, id }: Entry): PairPosition {
  return [micros, id];
}

/**
 * Finds a page of the log, newest first. A page reads one index range: that of the tenant, or of one request, object,
 * actor or action of it. Further filters examine `MAX_EXAMINED` entries of that range.
 *
 * @param tenantId `undefined` for the whole installation, whose filters examine entries one by one
 * @throws RangeError for a limit above 1,000
 */
export async function findEntries(
  manager: EntityManager,
  tenantId: string | undefined,
  filter: EntryFilter,
  { limit, after }: PageRequest<PairPosition>,
): Promise<FoundEntries> {
  const { indexed, scanned } = conditionsOf(tenantId, filter, after);
  const values: unknown[] = [];
  const where = (conditions: readonly Condition[]) =>
    conditions.map(({ sql, value }) => sql(`$${values.push(value)}`)).join(' AND ') || 'true';
  const fetched = rowsToFetch(limit);
  const range = `FROM audit_log WHERE ${where(indexed)} ${ORDER}`;
  const rangeValues = [...values];
  const letters = (conditions: readonly Condition[]) => conditions.map(({ name }) => name).join('');
  return inIndexOrder(manager, async (run) => {
    if (scanned.length === 0) {
      const name = `list-audit-${letters(indexed)}-${fetched}`;
      const text = `SELECT ${SELECTION} ${range} LIMIT ${fetched}`;
      const rows = await run<Row>({ name, text }, values);
      return { found: rows.slice(0, limit + 1).map(read), resumeAfter: undefined };
    }
    const rows = await run<Row>(
      {
        name: `search-audit-${letters(indexed)}-${letters(scanned)}-${fetched}`,
        text: `SELECT ${SELECTION} FROM (SELECT * ${range} LIMIT ${MAX_EXAMINED}) AS examined
          WHERE ${where(scanned)} ${ORDER} LIMIT ${fetched}`,
      },
      values,
    );
    const found = rows.slice(0, limit + 1).map(read);
    if (found.length > limit) return { found, resumeAfter: undefined };
    const [last] = await run<Row>(
      {
        name: `examined-audit-${letters(indexed)}`,
        text: `SELECT ${SELECTION} ${range} OFFSET ${MAX_EXAMINED - 1} LIMIT 1`,
      },
      rangeValues,
    );
    return { found, resumeAfter: last && positionOf(read(last)) };
  });
}

/**
 * Plans that read the range of an index in its order and stop at the end of the page. Where the planner expects a few
 * entries, it would fetch all of them and sort them, and one actor or object can have a million.
 */
export const INDEX_ORDER = 'SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off';

async function inIndexOrder<Result>(
  manager: EntityManager,
  work: (run: RunPrepared) => Promise<Result>,
): Promise<Result> {
  return manager.transaction(async (transaction) => {
    await transaction.query(INDEX_ORDER);
    return work(prepared(transaction));
  });
}

function read({ id, micros, ...row }: Row): Entry {
  return { id: Number(id), micros: Number(micros), ...row };
}

/** Splits the filters into those that one index range covers and those that are checked entry by entry. */
function conditionsOf(
  tenantId: string | undefined,
  { from, before, actor, action, object, result, address, requestId }: EntryFilter,
  after: PairPosition | undefined,
): { readonly indexed: readonly Condition[]; readonly scanned: readonly Condition[] } {
  const indexed: Condition[] = [];
  if (tenantId !== undefined) indexed.push(equal('tenant_id', tenantId));
  if (from !== undefined) {
    indexed.push({ name: 'f', sql: (value) => `at >= ${value}::timestamptz`, value: from });
  }
  if (before !== undefined) {
    indexed.push({ name: 'b', sql: (value) => `at < ${value}::timestamptz`, value: before });
  }
  // The narrowest first: it leads the index.
  const narrowing = [
    ['request_id', requestId],
    ['subject', object],
    ['actor', actor],
    ['action', action],
  ] as const;
  const equalities = narrowing.flatMap(([column, value]) =>
    value === undefined ? [] : [equal(column, value)],
  );
  const leading = tenantId === undefined ? 0 : 1;
  indexed.push(...equalities.slice(0, leading));
  const scanned = equalities.slice(leading);
  if (address !== undefined) scanned.push(equal('address', address));
  if (result !== undefined) {
    const sql = (value: string) =>
      `(right(action, ${REFUSED_SUFFIX.length}) = '${REFUSED_SUFFIX}') = ${value}::boolean`;
    scanned.push({ name: 'x', sql, value: result === 'refused' });
  }
  if (after !== undefined) indexed.push(...behind(after));
  return { indexed, scanned };
}

const LETTERS = {
  tenant_id: 't',
  request_id: 'r',
  subject: 'o',
  actor: 'a',
  action: 'c',
  address: 'd',
} as const;

function equal(column: keyof typeof LETTERS, value: string): Condition {
  return { name: LETTERS[column], sql: (parameter) => `${column} = ${parameter}::text`, value };
}

/** The first condition is implied by the second. Partitions are pruned by it. */
function behind([micros, id]: PairPosition): readonly Condition[] {
  const at = timeOf(micros);
  return [
    { name: 'u', sql: (value) => `at <= ${value}::timestamptz`, value: at },
    {
      name: 'p',
      sql: (value) =>
        `(at, id) < ((${value}::text[])[1]::timestamptz, (${value}::text[])[2]::bigint)`,
      value: [at, String(id)],
    },
  ];
}

/** @returns the time in ISO 8601 with microseconds, which `Date` does not have */
function timeOf(micros: number): string {
  const millis = Math.floor(micros / 1000);
  const rest = String(micros - millis * 1000).padStart(3, '0');
  return new Date(millis).toISOString().replace('Z', `${rest}Z`);
}
