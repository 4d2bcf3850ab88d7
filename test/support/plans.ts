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
  readonly Plans?: readonly PlanNode[];
}

/** One scan of a table or an index, with the rows that it read. */
export interface Scan {
  readonly by: string;
  readonly rows: number;
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
 * a connection settles on.
 *
 * @returns the scans of both plans
 */
export async function scansOf(
  database: TestDatabase,
  { text, values }: SentStatement,
): Promise<readonly Scan[]> {
  const literals = values.map((value) => {
    if (value === null) return 'NULL';
    if (value instanceof Date) return `to_timestamp(${value.getTime() / 1000})`;
    if (Array.isArray(value)) return pg.escapeLiteral(`{${value.join(',')}}`);
    return pg.escapeLiteral(typeof value === 'string' ? value : JSON.stringify(value));
  });
  const execute = `EXECUTE judged${literals.length > 0 ? `(${literals.join(', ')})` : ''}`;
  const client = new pg.Client(database.client);
  await client.connect();
  try {
    await client.query(`PREPARE judged AS ${text}`);
    const scans: Scan[] = [];
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await client.query(`SET plan_cache_mode = ${mode}`);
      const { rows } = await client.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${execute}`);
      const [{ Plan: plan }] = rows[0]['QUERY PLAN'] as [{ Plan: PlanNode }];
      scans.push(...scansIn(plan));
    }
    return scans;
  } finally {
    await client.end();
  }
}

function scansIn(node: PlanNode): Scan[] {
  const below = (node.Plans ?? []).flatMap(scansIn);
  if (node['Relation Name'] === undefined && node['Index Name'] === undefined) return below;
  const rows = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
  return [{ by: node['Index Name'] ?? node['Node Type'], rows }, ...below];
}
