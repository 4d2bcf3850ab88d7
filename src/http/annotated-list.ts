import type pg from 'pg';
import type { EntityManager } from 'typeorm';

import { prepared, type RunPrepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import { type AnnotationFilter, conditionsOf } from './annotations.js';
import type { PageRequest } from './pagination.js';

/** A table of the installation whose rows have an external id and metadata. */
export interface AnnotatedTable {
  readonly name: 'accounts' | 'tenants';
  /** The select list, of rows called `t`. */
  readonly columns: string;
}

/** An order of a list, by a unique column that has an index. */
export interface ListOrder {
  readonly column: string;
  readonly direction: 'ASC' | 'DESC';
  /** A text that lies before all values in this order. */
  readonly start: string;
}

export interface AnnotatedQuery extends PageRequest<string> {
  readonly order: ListOrder;
  readonly filter: AnnotationFilter;
  /** A unique column, and the value that it has to have. */
  readonly unique?: { readonly column: string; readonly value: string } | undefined;
}

/** Rows of a page, up to one more than asked for. */
export interface FoundAnnotated<Row> {
  readonly found: readonly Row[];
  /** The position at which the search stopped early. The next page continues there. */
  readonly resumeAfter: string | undefined;
}

/** Bounds the rows that one page examines for metadata. */
export const MAX_EXAMINED = 5000;

/**
 * Leaves the planner the index of the metadata only. Where it expects many rows, it would read the table from its
 * beginning, and all of them can be at its end.
 */
export const BY_METADATA_INDEX =
  'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off';

/**
 * Lists rows of a table. Those with some metadata are looked for among the next rows of the order, then by their index: the
 * one is dear if few rows have it, the other if many have.
 *
 * @throws RangeError for a limit above 1,000
 */
export async function listAnnotated<Row extends pg.QueryResultRow>(
  manager: EntityManager,
  table: AnnotatedTable,
  query: AnnotatedQuery,
): Promise<FoundAnnotated<Row>> {
  const { limit, filter, unique } = query;
  const { page, search, endOfSearch, countMatching, pageOfMatching } = statementsOf(table, query);
  const run = prepared(manager);
  const isSearch =
    filter.metadata !== undefined && filter.externalId === undefined && unique === undefined;
  const rows = await (isSearch ? search : page)<Row>(run);
  const found = rows.slice(0, limit + 1);
  if (!isSearch || found.length > limit) return { found, resumeAfter: undefined };
  const [end] = await endOfSearch<{ position: string }>(run);
  if (end === undefined) return { found, resumeAfter: undefined };
  return manager.transaction(async (transaction) => {
    await transaction.query(BY_METADATA_INDEX);
    const runByIndex = prepared(transaction);
    const [matching] = await countMatching<{ count: number }>(runByIndex);
    if (matching === undefined || matching.count > MAX_EXAMINED) {
      return { found, resumeAfter: end.position };
    }
    const all = await pageOfMatching<Row>(runByIndex);
    return { found: all.slice(0, limit + 1), resumeAfter: undefined };
  });
}

type Statement = <Row extends pg.QueryResultRow>(run: RunPrepared) => Promise<readonly Row[]>;

function statementsOf(
  { name, columns }: AnnotatedTable,
  { limit, after, order: { column, direction, start }, filter, unique }: AnnotatedQuery,
) {
  const fetched = rowsToFetch(limit);
  const matched: (string | readonly string[])[] = [];
  const parameter = (value: string | readonly string[]) => `$${matched.push(value)}`;
  const conditions = [
    ...conditionsOf(filter, parameter, { externalId: 't.external_id', metadata: 't.metadata' }),
    ...(unique === undefined ? [] : [`t.${unique.column} = ${parameter(unique.value)}`]),
  ];
  const where = conditions.join(' AND ') || 'true';
  const by = `${filter.externalId === undefined ? '' : 'id-'}${unique?.column ?? ''}${conditions.length}`;
  const position = `$${matched.length + 1}`;
  const values = [...matched, after ?? start];
  const behind = (placeholder: string) =>
    `t.${column} ${direction === 'ASC' ? '>' : '<'} ${placeholder}`;
  const ordered = `ORDER BY t.${column} ${direction}`;
  const statement =
    (kind: string, text: string, given: readonly unknown[] = values): Statement =>
    (run) =>
      run({ name: `list-${name}-${kind}`, text }, given);
  return {
    page: statement(
      `${column}-${by}-${fetched}`,
      `SELECT ${columns} FROM ${name} t WHERE ${where} AND ${behind(position)} ${ordered} LIMIT ${fetched}`,
    ),
    search: statement(
      `${column}-${by}-search-${fetched}`,
      `SELECT ${columns}
       FROM (SELECT * FROM ${name} t WHERE ${behind(position)} ${ordered} LIMIT ${MAX_EXAMINED}) AS t
       WHERE ${where} ${ordered} LIMIT ${fetched}`,
    ),
    endOfSearch: statement(
      `${column}-end`,
      `SELECT t.${column} AS position FROM ${name} t WHERE ${behind('$1')} ${ordered}
       OFFSET ${MAX_EXAMINED - 1} LIMIT 1`,
      [after ?? start],
    ),
    countMatching: statement(
      `matching-${by}`,
      `SELECT count(*)::int FROM (SELECT FROM ${name} t WHERE ${where} LIMIT ${MAX_EXAMINED + 1}) AS matching`,
      matched,
    ),
    pageOfMatching: statement(
      `${column}-${by}-matching-${fetched}`,
      `SELECT ${columns} FROM (SELECT * FROM ${name} t WHERE ${where} LIMIT ${MAX_EXAMINED}) AS t
       WHERE ${behind(position)} ${ordered} LIMIT ${fetched}`,
    ),
  };
}
