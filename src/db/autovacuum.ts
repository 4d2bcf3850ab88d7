import type { QueryRunner } from 'typeorm';

/** Tables that autovacuum works on. Its processes are the only ones with locks on tables and without a user. */
const TABLES = `
  SELECT DISTINCT c.oid::regclass::text AS name
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a USING (pid)
  WHERE l.mode = 'ShareUpdateExclusiveLock' AND l.granted AND a.usesysid IS NULL
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  ORDER BY 1`;

/**
 * Keeps autovacuum from the tables that it works on, until the transaction ends.
 *
 * Autovacuum gives way to a statement that has waited for it for `deadlock_timeout`, a second by default. Readers
 * queue behind a statement that alters a table, but not behind the lock that is taken here.
 *
 * @param runner in a transaction that has no `lock_timeout`
 */
export async function suspendAutovacuum(runner: QueryRunner): Promise<void> {
  const tables = (await runner.query(TABLES)) as { name: string }[];
  if (tables.length === 0) return;
  const names = tables.map(({ name }) => name).join(', ');
  await runner.query(`LOCK TABLE ${names} IN SHARE UPDATE EXCLUSIVE MODE`);
}
