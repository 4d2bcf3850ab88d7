import { jest } from '@jest/globals';
import pg from 'pg';

import type { TestDatabase } from './database.js';

/** A statement that the server sent, as `pg` takes it. */
interface SentStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** One scan of a table or an index, with the rows that it read. */
export interface Scan {
  readonly by: string;
  /** The table, or else the index. */
  readonly of: string;
  readonly rows: number;
  /** How often it was done. */
  readonly loops: number;
}

/** Runs some work and returns the prepared statements that it sent whose name begins like this. */
export async function recordStatements(
  beginning: string,
  work: () => Promise<unknown>,
): Promise<readonly SentStatement[]> {
  const spy = jest.spyOn(pg.Client.prototype, 'query');
  try {
    await work();
    return spy.mock.calls
      .map(([sent]) => sent as unknown)
      .filter((sent): sent is SentStatement => {
        const { name } = (sent ?? {}) as Partial<SentStatement>;
        return name?.startsWith(beginning) === true;
      });
  } finally {
    spy.mockRestore();
  }
}

/**
 * Runs a statement under `EXPLAIN ANALYZE`, with a plan for its values and with the generic plan that
 * a connection settles on. Nothing that it changes is kept.
 *
 * @param settings the `SET LOCAL` of the transaction in which the server sent it
 * @returns the scans of both plans
 */
export async function scansOf(
  database: TestDatabase,
  statement: SentStatement,
  settings = '',
): Promise<readonly Scan[]> {
  return (await plansOf(database, statement, settings)).flatMap(scansIn);
}

/**
 * The partitions of a table that a statement looks into, by the plan that looks into most of them.
 *
 * @returns their number, and the pages that the whole statement touches
 */
export async function probesOf(
  database: TestDatabase,
  statement: SentStatement,
  table: string,
): Promise<{ readonly partitions: number; readonly pages: number }> {
  const isPartition = new RegExp(`^${table}_(?:until_)?\\d{8}`);
  const probes = (await plansOf(database, statement)).map((plan) => ({
    partitions: new Set(
      scansIn(plan).flatMap(({ of, loops }) => (loops > 0 ? (isPartition.exec(of) ?? []) : [])),
    ).size,
    pages: (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0),
  }));
  return {
    partitions: Math.max(...probes.map(({ partitions }) => partitions)),
    pages: Math.max(...probes.map(({ pages }) => pages)),
  };
}

async function plansOf(
  database: TestDatabase,
  { text, values }: SentStatement,
  settings = '',
): Promise<readonly PlanNode[]> {
  const literals = values.map(literalOf);
  const execute = `EXECUTE judged${literals.length > 0 ? `(${literals.join(', ')})` : ''}`;
  const client = new pg.Client(database.client);
  await client.connect();
  try {
    await client.query(`PREPARE judged AS ${text}`);
    const plans: PlanNode[] = [];
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await client.query(`SET plan_cache_mode = ${mode}`);
      await client.query(`BEGIN; ${settings}`);
      const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${execute}`);
      await client.query('ROLLBACK');
      const [{ Plan: plan }] = rows[0]['QUERY PLAN'] as [{ Plan: PlanNode }];
      plans.push(plan);
    }
    return plans;
  } finally {
    await client.end();
  }
}

function literalOf(value: unknown): string {
  if (value === null) return 'NULL';
  if (value instanceof Date) return `to_timestamp(${value.getTime() / 1000})`;
  if (Array.isArray(value)) {
    const hasTimes = value.some((item) => item instanceof Date);
    if (hasTimes) return `ARRAY[${value.map(literalOf).join(', ')}]`;
    // Quoted, since JSON has commas and braces.
    const items = value.map((item) => JSON.stringify(String(item)));
    return pg.escapeLiteral(`{${items.join(',')}}`);
  }
  return pg.escapeLiteral(typeof value === 'string' ? value : JSON.stringify(value));
}

function scansIn(node: PlanNode): Scan[] {
  const below = (node.Plans ?? []).flatMap(scansIn);
  if (node['Relation Name'] === undefined && node['Index Name'] === undefined) return below;
  const rows = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
  const by = node['Index Name'] ?? node['Node Type'];
  const of = node['Relation Name'] ?? by;
  return [{ by, of, rows, loops: node['Actual Loops'] }, ...below];
}
