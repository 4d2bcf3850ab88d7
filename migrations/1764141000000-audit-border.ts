import type { QueryRunner } from 'typeorm';

import type { Migration } from './migration.js';

/**
 * Declares that the audit log's rows lie before a border that is 30 to 60 days ahead, without looking at
 * them yet. The table becomes the first partition, up to there: see src/db/partitions.ts.
 */
export class AuditBorder1764141000000 implements Migration {
  readonly olderPrograms = 'compatible';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(DECLARE_BORDER);
  }

  async down(runner: QueryRunner): Promise<void> {
    const border = await findBorder(runner);
    if (border !== undefined) {
      await runner.query(`ALTER TABLE audit_log DROP CONSTRAINT ${border.constraint}`);
    }
  }
}

/** A constraint `audit_log_until_YYYYMMDD`: spans of 30 days are counted from the epoch. */
export const DECLARE_BORDER = `DO $$
  DECLARE border timestamptz :=
    to_timestamp((floor(extract(epoch FROM gatehouse_now()) / 2592000) + 2) * 2592000);
  BEGIN
    EXECUTE format('ALTER TABLE audit_log ADD CONSTRAINT %I CHECK (at < %L::timestamptz) NOT VALID',
      'audit_log_until_' || to_char(border AT TIME ZONE 'UTC', 'YYYYMMDD'), border);
  END $$`;

/** @returns the constraint that declares the border, and the border itself */
export async function findBorder(
  runner: QueryRunner,
): Promise<{ readonly constraint: string; readonly at: string } | undefined> {
  const [row] = (await runner.query(
    `SELECT conname AS name FROM pg_constraint
     WHERE conrelid = 'audit_log'::regclass AND conname ~ '^audit_log_until_[0-9]{8}$'`,
  )) as { name: string }[];
  if (row === undefined) return undefined;
  const [, year, month, day] = /(\d{4})(\d\d)(\d\d)$/.exec(row.name) ?? [];
  return { constraint: row.name, at: `${year}-${month}-${day}T00:00:00Z` };
}
