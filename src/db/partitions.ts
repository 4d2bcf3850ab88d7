import type { DataSource, EntityManager } from 'typeorm';

/** A table that is partitioned by a time: at which its rows expire, or were written. */
export interface PartitionedTable {
  readonly name: string;
  /** The span of one partition, in days. */
  readonly days: number;
  /** How far ahead of now partitions have to exist: longer than any row lives, with time to spare. */
  readonly aheadDays: number;
  /** What keeps a partition that is over: a day of grace, or the retention of the audit log. */
  readonly kept: 'a-day' | 'audit-retention';
  /**
   * The day in a partition's name. Programs of earlier releases take it for the first day, add the span that they
   * know, and drop the partition a day later: where the span has grown, they must read the last day.
   */
  readonly namedBy: 'start' | 'end';
}

/** How long what is over is kept, in days. */
export interface Retention {
  readonly auditRetentionDays: number;
}

export const DEFAULT_RETENTION: Retention = { auditRetentionDays: 365 };

/** Everything that is deleted by dropping partitions. */
export const PARTITIONED_TABLES: readonly PartitionedTable[] = [
  { name: 'access_tokens', days: 1, aheadDays: 3, kept: 'a-day', namedBy: 'start' },
  { name: 'oauth_artifacts', days: 1, aheadDays: 3, kept: 'a-day', namedBy: 'start' },
  // Less far ahead than earlier releases make theirs, of 7 days: while one of them runs, no wider one stands in its way.
  { name: 'refresh_tokens', days: 35, aheadDays: 33, kept: 'a-day', namedBy: 'end' },
  // Far ahead: nothing can be done without an entry.
  { name: 'audit_log', days: 30, aheadDays: 400, kept: 'audit-retention', namedBy: 'start' },
];

/**
 * The times of expiry among which a presented token, code or interaction is looked up, in hours around now. They span
 * less than a partition, so that a lookup probes two at most (decision 16). Ahead: the lifetime and time to spare for
 * clocks. Behind: how long an expired one is told from an unknown one, and a second use of a code is noticed.
 */
const LOOKED_UP = {
  access_tokens: { behindHours: 21, aheadHours: 2 },
  oauth_artifacts: { behindHours: 21, aheadHours: 2 },
  refresh_tokens: { behindHours: 24, aheadHours: 31 * 24 },
} as const;

/**
 * The condition by which a lookup leaves out partitions.
 *
 * @param table which one
 * @param alias the table's in the query
 * @returns SQL
 */
export function expiresAroundNow(table: keyof typeof LOOKED_UP, alias: string): string {
  const { behindHours, aheadHours } = LOOKED_UP[table];
  return `${alias}.expires_at > gatehouse_now() - interval '${behindHours} hours'
      AND ${alias}.expires_at < gatehouse_now() + interval '${aheadHours} hours'`;
}

/** Any number that nothing else locks. */
const PARTITION_LOCK = 7_305_804_386;
const DAY_MS = 86_400_000;
/** Rows that have just expired are still told from rows that never were. */
const KEEP_DAYS = 1;
/** Briefly: whoever waits for this lock makes every query behind it wait. */
const LOCK_TIMEOUT = '500ms';

/** What a partition holds, in milliseconds since the epoch: from the first up to before the second. */
interface Span {
  readonly from: number;
  readonly to: number;
}

interface Partition extends Span {
  readonly name: string;
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

/** The partitions that there are, oldest first. Their bounds are read, since their names do not tell the span. */
async function list(manager: EntityManager, table: PartitionedTable): Promise<Partition[]> {
  return manager.query<Partition[]>(
    `SELECT name,
       coalesce(extract(epoch FROM substring(bound FROM $2)::timestamptz) * 1000, 0)::float8 AS from,
       (extract(epoch FROM substring(bound FROM $3)::timestamptz) * 1000)::float8 AS to
     FROM (SELECT inhrelid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
       FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = $1::regclass) AS partition
     ORDER BY 2`,
    [table.name, `FROM \\('([^']+)'\\)`, `TO \\('([^']+)'\\)`],
  );
}

async function listOver(
  manager: EntityManager,
  { auditRetentionDays }: Retention,
): Promise<readonly string[]> {
  const [{ now }] = await manager.query<[{ now: Date }]>(`SELECT gatehouse_now() AS now`);
  const over: string[] = [];
  for (const table of PARTITIONED_TABLES) {
    const keepDays = table.kept === 'a-day' ? KEEP_DAYS : auditRetentionDays;
    const isOver = ({ to }: Partition) => to + keepDays * DAY_MS <= now.getTime();
    over.push(...(await list(manager, table)).filter(isOver).map(({ name }) => name));
  }
  return over;
}

async function makeAhead(
  manager: EntityManager,
  table: PartitionedTable,
  now: Date,
): Promise<void> {
  for (const { from, to } of missing(await list(manager, table), table, now.getTime())) {
    const name = `${table.name}_${table.namedBy === 'end' ? `until_${day(to)}` : day(from)}`;
    // Attaching, unlike CREATE TABLE … PARTITION OF, lets everybody read and write meanwhile.
    await manager.query(`CREATE TABLE ${name} (LIKE ${table.name} INCLUDING ALL)`);
    await manager.query(
      `ALTER TABLE ${table.name} ATTACH PARTITION ${name}
       FOR VALUES FROM ('${new Date(from).toISOString()}') TO ('${new Date(to).toISOString()}')`,
    );
  }
}

/**
 * The spans from now on that no partition holds. They end at borders counted from the epoch, or where a partition of
 * another width begins.
 */
function missing(known: readonly Partition[], table: PartitionedTable, now: number): Span[] {
  const length = table.days * DAY_MS;
  const spans: Span[] = [];
  // A partition may begin between two borders, before now.
  const isBehind = ({ to }: Partition) => to <= now;
  const behind = Math.max(0, ...known.filter(isBehind).map(({ to }) => to));
  let from = Math.max(Math.floor(now / length) * length, behind);
  while (from <= now + table.aheadDays * DAY_MS) {
    const start = from;
    const holder = known.find((span) => span.from <= start && start < span.to);
    if (holder !== undefined) {
      from = holder.to;
      continue;
    }
    const border = (Math.floor(start / length) + 1) * length;
    const to = Math.min(border, ...known.map((span) => span.from).filter((next) => next > start));
    spans.push({ from: start, to });
    from = to;
  }
  return spans;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10).replaceAll('-', '');
}
