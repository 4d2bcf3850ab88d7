import type { DataSource, EntityManager } from 'typeorm';

/** A table that is partitioned by the time at which its rows expire, `expires_at`. */
export interface PartitionedTable {
  readonly name: string;
  /** The span of one partition, in days. A row's time to live touches few of them. */
  readonly days: number;
  /** How far ahead of now partitions have to exist: longer than any row lives, with time to spare. */
  readonly aheadDays: number;
}

/** Everything that is thrown away by the partition. */
export const PARTITIONED_TABLES: readonly PartitionedTable[] = [
  { name: 'access_tokens', days: 1, aheadDays: 3 },
  { name: 'oauth_artifacts', days: 1, aheadDays: 3 },
  { name: 'refresh_tokens', days: 7, aheadDays: 44 },
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
export async function maintainPartitions(dataSource: DataSource): Promise<void> {
  await makePartitions(dataSource);
  const errors: unknown[] = [];
  for (const name of await listOver(dataSource.manager)) {
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

async function listOver(manager: EntityManager): Promise<readonly string[]> {
  const [{ now }] = await manager.query<[{ now: Date }]>(`SELECT gatehouse_now() AS now`);
  const over: string[] = [];
  for (const table of PARTITIONED_TABLES) {
    const isOver = (name: string) => endOf(name, table) + KEEP_DAYS * DAY_MS <= now.getTime();
    over.push(...(await list(manager, table)).filter(isOver));
  }
  return over;
}

async function makeAhead(
  manager: EntityManager,
  table: PartitionedTable,
  now: Date,
): Promise<void> {
  const known = new Set(await list(manager, table));
  for (const { name, from, to } of spansAhead(table, now)) {
    if (known.has(name)) continue;
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

function endOf(partition: string, table: PartitionedTable): number {
  const [, year, month, day] = /_(\d{4})(\d\d)(\d\d)$/.exec(partition) ?? [];
  return Date.parse(`${year}-${month}-${day}T00:00:00Z`) + table.days * DAY_MS;
}
