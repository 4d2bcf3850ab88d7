import type { DataSource, EntityManager } from 'typeorm';

/** A table that is partitioned by a time: at which its rows expire, or were written. */
export interface PartitionedTable {
  readonly name: string;
  /** The span of one partition, in days. A row's time to live touches few of them. */
  readonly days: number;
  /** How far ahead of now partitions have to exist: longer than any row lives, with time to spare. */
  readonly aheadDays: number;
  /** What keeps a partition that is over: a day of grace, or the retention of the audit log. */
  readonly kept: 'a-day' | 'audit-retention';
}

/** How long what is over is kept, in days. */
export interface Retention {
  readonly auditRetentionDays: number;
}

export const DEFAULT_RETENTION: Retention = { auditRetentionDays: 365 };

/** Everything that is thrown away by the partition. */
export const PARTITIONED_TABLES: readonly PartitionedTable[] = [
  { name: 'access_tokens', days: 1, aheadDays: 3, kept: 'a-day' },
  { name: 'oauth_artifacts', days: 1, aheadDays: 3, kept: 'a-day' },
  { name: 'refresh_tokens', days: 7, aheadDays: 44, kept: 'a-day' },
  // Far ahead: nothing can be done without an entry.
  { name: 'audit_log', days: 30, aheadDays: 400, kept: 'audit-retention' },
];

/** Any number that nothing else locks. */
const PARTITION_LOCK = 7_305_804_386;
const DAY_MS = 86_400_000;
/** Rows that have just expired are still told from rows that never were. */
const KEEP_DAYS = 1;
/** Briefly: whoever waits for this lock makes every query behind it wait. */
const LOCK_TIMEOUT = '500ms';

interface Span {
  readonly name: string;
  readonly from: Date;
  readonly to: Date;
}

/**
 * Makes the partitions that are needed now or will be, by the database's clock. Neither does that hold up
 * anybody who reads or writes, nor does a reader (a backup, say) hold it up: a server can start meanwhile.
 */
export async function makePartitions(dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (manager) => {
    // Waited for, unlike in dropping: when this returns they are there, whoever made them.
    await manager.query(`SELECT pg_advisory_xact_lock($1)`, [PARTITION_LOCK]);
    const now = await begin(manager);
    if (now === undefined) throw new Error('a lock that is held cannot be taken again');
    for (const table of PARTITIONED_TABLES) await makeAhead(manager, table, now);
  });
}

/**
 * Makes partitions, and drops those in which everything has expired, one day ago at least. One replica
 * drops, the others see that it is being done.
 *
 * Each drop stands for itself: it needs a lock that a forgotten reader can deny for long, and must not
 * keep new partitions from being made.
 *
 * @throws AggregateError with whatever could not be dropped; it is tried again the next time
 */
export async function maintainPartitions(
  dataSource: DataSource,
  retention: Retention = DEFAULT_RETENTION,
): Promise<void> {
  await makePartitions(dataSource);
  const errors: unknown[] = [];
  for (const name of await listOver(dataSource.manager, retention)) {
    await dataSource
      .transaction(async (manager) => {
        if ((await begin(manager)) !== undefined)
          await manager.query(`DROP TABLE IF EXISTS ${name}`);
      })
      .catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'partitions could not be dropped');
}

/** @returns the time; `undefined` if another replica is at it */
async function begin(manager: EntityManager): Promise<Date | undefined> {
  const [row] = await manager.query<[{ locked: boolean; now: Date }]>(
    `SELECT pg_try_advisory_xact_lock($1) AS locked, gatehouse_now() AS now`,
    [PARTITION_LOCK],
  );
  if (row.locked) await manager.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  return row.locked ? row.now : undefined;
}

async function list(manager: EntityManager, table: PartitionedTable): Promise<readonly string[]> {
  const rows = await manager.query<{ name: string }[]>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass`,
    [table.name],
  );
  return rows.map(({ name }) => name);
}

async function listOver(
  manager: EntityManager,
  { auditRetentionDays }: Retention,
): Promise<readonly string[]> {
  const [{ now }] = await manager.query<[{ now: Date }]>(`SELECT gatehouse_now() AS now`);
  const over: string[] = [];
  for (const table of PARTITIONED_TABLES) {
    const keepDays = table.kept === 'a-day' ? KEEP_DAYS : auditRetentionDays;
    const isOver = (name: string) => endOf(name, table) + keepDays * DAY_MS <= now.getTime();
    over.push(...(await list(manager, table)).filter(isOver));
  }
  return over;
}

async function makeAhead(
  manager: EntityManager,
  table: PartitionedTable,
  now: Date,
): Promise<void> {
  const names = await list(manager, table);
  const known = new Set(names);
  const covered = Math.max(...names.filter(isFirst).map((name) => endOf(name, table)), 0);
  for (const { name, from, to } of spansAhead(table, now)) {
    if (known.has(name) || from.getTime() < covered) continue;
    // Attaching, unlike CREATE TABLE … PARTITION OF, lets everybody read and write meanwhile.
    await manager.query(`CREATE TABLE ${name} (LIKE ${table.name} INCLUDING ALL)`);
    await manager.query(
      `ALTER TABLE ${table.name} ATTACH PARTITION ${name}
       FOR VALUES FROM ('${from.toISOString()}') TO ('${to.toISOString()}')`,
    );
  }
}

/** Spans are counted from the epoch, so that every replica draws the same borders. */
function spansAhead(table: PartitionedTable, now: Date): readonly Span[] {
  const length = table.days * DAY_MS;
  const first = Math.floor(now.getTime() / length);
  const last = Math.floor((now.getTime() + table.aheadDays * DAY_MS) / length);
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const from = new Date((first + index) * length);
    const name = `${table.name}_${from.toISOString().slice(0, 10).replaceAll('-', '')}`;
    return { name, from, to: new Date(from.getTime() + length) };
  });
}

/** Whether it holds everything up to its border: the table as it was before it was partitioned. */
function isFirst(partition: string): boolean {
  return partition.includes('_until_');
}

function endOf(partition: string, table: PartitionedTable): number {
  const [, year, month, day] = /_(\d{4})(\d\d)(\d\d)$/.exec(partition) ?? [];
  const named = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  return isFirst(partition) ? named : named + table.days * DAY_MS;
}
