import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/** Each gives the whole order of a list: the entries of a tenant, and those with one value of a column. */
export const AUDIT_LIST_INDEXES = {
  audit_log_listed: '(tenant_id, at, id)',
  audit_log_of_subject: '(tenant_id, subject, at, id)',
  audit_log_of_actor: '(tenant_id, actor, at, id)',
  audit_log_of_action: '(tenant_id, action, at, id)',
  audit_log_of_request: '(tenant_id, request_id, at, id) WHERE request_id IS NOT NULL',
} as const;

/**
 * Declares indexes for the lists of the audit log, which are ordered by time and id. New partitions have them. Those of
 * the partitions that are there are built by the next migration and attached by the one after it.
 */
export class AuditLists1764161000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, columns] of Object.entries(AUDIT_LIST_INDEXES)) {
      await runner.query(`CREATE INDEX ${name} ON ONLY audit_log ${columns}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX ${Object.keys(AUDIT_LIST_INDEXES).join(', ')}`);
  }
}

/** @returns the partitions that have no index attached to this index of the audit log */
export async function partitionsWithout(
  runner: QueryRunner,
  index: string,
): Promise<readonly string[]> {
  const rows = (await runner.query(
    `SELECT partition.inhrelid::regclass::text AS name FROM pg_inherits partition
     WHERE partition.inhparent = 'audit_log'::regclass AND NOT EXISTS (
       SELECT FROM pg_inherits attached JOIN pg_index i ON i.indexrelid = attached.inhrelid
       WHERE attached.inhparent = $1::regclass AND i.indrelid = partition.inhrelid)`,
    [index],
  )) as { readonly name: string }[];
  return rows.map(({ name }) => name);
}

/** The name of a partition's own index. */
export function indexOf(partition: string, index: string): string {
  return index.replace('audit_log', partition);
}
