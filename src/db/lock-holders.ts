import type { DataSource, QueryRunner } from 'typeorm';

/** A connection that holds a lock for which another one waits. */
export interface Holder {
  readonly pid: number;
  readonly application: string | null;
  readonly user: string | null;
  /** Start of its transaction. Known for connections of the same role only. */
  readonly since: Date | null;
  /** The id of its transaction. A later transaction of the same connection has another id. */
  readonly transaction: string | null;
  /** Whether it waits for a lock of the waiting connection, too: a deadlock. */
  readonly waitsToo: boolean;
}

/** A lock on a table that readers or writers queue behind. */
export interface TableLock {
  readonly table: string;
  /** Such as `ACCESS EXCLUSIVE`. */
  readonly mode: string;
}

/** Strongest first. */
const MODES: Readonly<Record<string, string>> = {
  AccessExclusiveLock: 'ACCESS EXCLUSIVE',
  ExclusiveLock: 'EXCLUSIVE',
  ShareRowExclusiveLock: 'SHARE ROW EXCLUSIVE',
  ShareLock: 'SHARE',
};

/** Lists the connections that hold a lock for which the connection `pid` waits. */
export async function findHolders(dataSource: DataSource, pid: number): Promise<readonly Holder[]> {
  return dataSource.query<Holder[]>(
    `SELECT holder.pid, a.application_name AS application, a.usename AS "user", a.xact_start AS since,
       (SELECT l.virtualtransaction FROM pg_locks l WHERE l.pid = holder.pid LIMIT 1) AS transaction,
       $1 = ANY (pg_blocking_pids(holder.pid)) AS "waitsToo"
     FROM unnest(pg_blocking_pids($1)) AS holder (pid) LEFT JOIN pg_stat_activity a USING (pid)`,
    [pid],
  );
}

/**
 * Lists the locks on tables that the connection `pid` holds or waits for, if others queue behind them. The awaited one
 * comes first: its holder in a deadlock takes it before the others.
 */
export async function findStrongLocks(
  dataSource: DataSource,
  pid: number,
): Promise<readonly TableLock[]> {
  const rows = await dataSource.query<{ table: string; mode: string }[]>(
    `SELECT c.oid::regclass::text AS table, l.mode
     FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
     WHERE l.pid = $1 AND l.mode = ANY ($2) AND c.relkind IN ('r', 'p')
       AND c.relnamespace = 'public'::regnamespace
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY l.granted, array_position($2, l.mode), 1`,
    [pid, Object.keys(MODES)],
  );
  return rows.map(({ table, mode }) => ({ table, mode: MODES[mode] ?? 'ACCESS EXCLUSIVE' }));
}

/** Takes locks in their order, on those of the tables that still exist. */
export async function takeLocks(runner: QueryRunner, locks: readonly TableLock[]): Promise<void> {
  for (const { table, mode } of locks) {
    const rows = (await runner.query('SELECT WHERE to_regclass($1) IS NOT NULL', [
      table,
    ])) as unknown[];
    if (rows.length > 0) await runner.query(`LOCK TABLE ONLY ${table} IN ${mode} MODE`);
  }
}
