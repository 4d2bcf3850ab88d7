import type { EntityManager } from 'typeorm';

import { pack, readRow, selection, type Column, type Packed } from './packed-rows.js';
import { prepared, type PreparedStatement } from './prepared.js';
import { keptRead, readJoined } from './joined-reads.js';
import { createRowWriter, type RowWriter, type WrittenRow } from './written-rows.js';

/** The tenant, environment and space that rows belong to. */
interface RowContext {
  readonly tenantId: string;
  readonly environment: string;
  readonly spaceId: string;
}

/** A table whose rows belong to spaces: it has `id`, `tenant_id`, `environment`, `space_id`, `created_at`, `deleted_at`. */
export interface SpaceTable {
  readonly name: string;
  /** The select list. */
  readonly columns: readonly Column[];
}

/** One filter condition of a list. */
export interface Condition {
  /** Unique within its table: the names of the conditions form the name of the prepared statement. */
  readonly name: string;
  /** @param parameter the placeholder that stands for the value */
  readonly sql: (parameter: string) => string;
  readonly type: 'text' | 'timestamptz' | 'bigint';
  readonly value: unknown;
}

export interface SpaceQuery {
  readonly limit: number;
  /** The id of the last row of the page before. */
  readonly after: number | undefined;
  /** Conditions that an index of the table covers. */
  readonly indexed?: readonly Condition[];
  /** A condition without an index. At most `SEARCHED_ROWS` rows are read for one page. */
  readonly scanned?: Condition | undefined;
}

/** The rows of one page. */
export interface Found<Row = WrittenRow> {
  /** Newest first, up to one more than asked for. */
  readonly rows: readonly Row[];
  /** The id to continue after, if the search stopped before the end of the list; otherwise `undefined`. */
  readonly resumeAfter?: number | undefined;
}

/** Bounds the cost of a page of a search, to about 10 ms of the database. */
const SEARCHED_ROWS = 10_000;
/**
 * Limits are rounded up to these, so that few statements are prepared. They are literals, so that the planner knows
 * them. The last one is for the command line.
 */
const FETCHED = [26, 51, 101, 1001] as const;

/** The largest bigint, behind every position. The first page begins before it. */
export const LATEST = '9223372036854775807';

/**
 * The LIMIT of the statement that reads a page of `limit` rows and at least one more.
 * @throws RangeError for a limit above 1,000
 */
export function rowsToFetch(limit: number): number {
  const fetched = FETCHED.find((rows) => rows > limit);
  if (fetched === undefined) throw new RangeError(`a page of ${limit} rows is too large`);
  return fetched;
}

/**
 * Lists rows of one space, newest first. Every page reads one range of the index
 * `(tenant_id, environment, space_id, …, created_at, id) WHERE deleted_at IS NULL`, so its cost depends neither on
 * its depth nor on other rows. The order is not the primary key's: the planner would otherwise walk the primary key
 * through the rows of all other tenants.
 *
 * @throws RangeError for a limit above 1,000
 */
export async function listInSpace(
  manager: EntityManager,
  table: SpaceTable,
  context: RowContext,
  { limit, after, indexed = [], scanned }: SpaceQuery,
): Promise<Found> {
  const values: unknown[] = [context.tenantId, context.environment, context.spaceId];
  const names = [table.name];
  const conditions: Pick<Condition, 'sql' | 'type'>[] = [];
  for (const condition of indexed) {
    names.push(condition.name);
    conditions.push(condition);
    values.push(condition.value);
  }
  if (after !== undefined) {
    names.push('after');
    conditions.push({ sql: (id) => isAfter(table, id), type: 'bigint' });
    values.push(after);
  }
  const fetched = rowsToFetch(limit);
  if (scanned === undefined) {
    const name = ['list', ...names, fetched].join('-');
    const rows = await readPage(manager, table, { name, conditions, fetched, values });
    return { rows: rows.slice(0, limit + 1) };
  }
  const range = rangeOf(table, conditions, placeholder);
  const page = {
    name: ['search', ...names, scanned.name, fetched].join('-'),
    from: `FROM (SELECT * ${range} LIMIT ${SEARCHED_ROWS}) AS searched
      WHERE ${scanned.sql(placeholder(values.length + 1))} ${ORDER} LIMIT ${fetched}`,
    values: [...values, scanned.value],
  };
  const rows = await search(manager, table, page);
  if (rows.length > limit) return { rows: rows.slice(0, limit + 1) };
  const [last] = await prepared(manager)<{ id: string }>(
    {
      name: ['searched', ...names].join('-'),
      text: `SELECT id ${range} OFFSET ${SEARCHED_ROWS - 1} LIMIT 1`,
    },
    values,
  );
  return { rows, resumeAfter: last && Number(last.id) };
}

const ORDER = 'ORDER BY created_at DESC, id DESC';

/** A placeholder of a prepared statement. */
const placeholder = (position: number) => `$${position}`;
/** The same of a joined read. */
const askedFor = (position: number) => `asked.p${position}`;

/** @param parameter makes the placeholder of a position, from 1 on */
function rangeOf(
  { name }: SpaceTable,
  conditions: readonly Pick<Condition, 'sql'>[],
  parameter: (position: number) => string,
): string {
  const [tenant, environment, space] = [parameter(1), parameter(2), parameter(3)];
  const others = conditions.map(({ sql }, index) => ` AND ${sql(parameter(index + 4))}`).join('');
  return `FROM ${name} WHERE tenant_id = ${tenant} AND environment = ${environment}
    AND space_id = ${space} AND deleted_at IS NULL${others} ${ORDER}`;
}

/** A cursor holds an id only. Deletion is soft, so the row of that id still exists. */
function isAfter({ name }: SpaceTable, parameter: string): string {
  return `(created_at, id) < ((SELECT created_at FROM ${name} WHERE id = ${parameter}), ${parameter})`;
}

/** @returns the row of this id if it belongs to the space */
export async function findInSpace<Row>(
  manager: EntityManager,
  table: SpaceTable,
  context: RowContext,
  id: number,
): Promise<Row | undefined> {
  const [row] = await runReturning<Row>(
    manager,
    table,
    {
      name: `find-${table.name}`,
      text: `SELECT ${selection(table.columns)} FROM ${table.name}
        WHERE tenant_id = $1 AND environment = $2 AND space_id = $3 AND deleted_at IS NULL AND id = $4`,
    },
    [context.tenantId, context.environment, context.spaceId, id],
  );
  return row;
}

/** Runs a statement that returns the `selection` of the table's columns. */
export async function runReturning<Row>(
  manager: EntityManager,
  { columns }: SpaceTable,
  statement: PreparedStatement,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const rows = await prepared(manager)<Record<string, string | null>>(statement, values);
  return rows.map((row) => readRow<Row>(columns, row));
}

interface Page {
  /** Determines everything but the values. */
  readonly name: string;
  readonly conditions: readonly Pick<Condition, 'sql' | 'type'>[];
  readonly fetched: number;
  readonly values: readonly unknown[];
}

/** The writers of the tables whose pages were asked for. */
const WRITERS = new Map<SpaceTable, RowWriter>();

function writerOf(table: SpaceTable): RowWriter {
  let writer = WRITERS.get(table);
  if (writer === undefined) {
    writer = createRowWriter(table.columns);
    WRITERS.set(table, writer);
  }
  return writer;
}

/** Reads a page together with others, as one text. */
async function readPage(
  manager: EntityManager,
  table: SpaceTable,
  { name, conditions, fetched, values }: Page,
): Promise<readonly WrittenRow[]> {
  const read = keptRead(name, () => ({
    text: pack(table.columns, `${rangeOf(table, conditions, askedFor)} LIMIT ${fetched}`),
    types: ['text', 'text', 'text', ...conditions.map(({ type }) => type)],
  }));
  const rows = writerOf(table).writePage(await readJoined<Packed>(manager, read, values));
  if (rows !== undefined) return rows;
  const from = `${rangeOf(table, conditions, placeholder)} LIMIT ${fetched}`;
  return readPlain(manager, table, { name, from, values });
}

interface RangeStatement {
  readonly name: string;
  readonly from: string;
  readonly values: readonly unknown[];
}

/** Reads a page of a search as one text. */
async function search(
  manager: EntityManager,
  table: SpaceTable,
  { name, from, values }: RangeStatement,
): Promise<readonly WrittenRow[]> {
  const statement = { name, text: pack(table.columns, from) };
  const [packed] = await prepared(manager)<Packed>(statement, values);
  const rows = packed && writerOf(table).writePage(packed);
  return rows ?? readPlain(manager, table, { name, from, values });
}

/** Reads row by row, for texts that hold a character that would separate them. */
async function readPlain(
  manager: EntityManager,
  table: SpaceTable,
  { name, from, values }: RangeStatement,
): Promise<readonly WrittenRow[]> {
  const plain = { name: `${name}-plain`, text: `SELECT ${selection(table.columns)} ${from}` };
  const rows = await prepared(manager)<Record<string, string | null>>(plain, values);
  return rows.map((row) => writerOf(table).writeRow(row));
}
