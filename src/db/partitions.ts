import type { DataSource, EntityManager } from 'typeorm';

/** A table that is partitioned by the time of its rows' expiry or creation. */
export interface PartitionedTable {
  readonly name: string;
  /** The span of one partition, in days. */
  readonly days: number;
  /** Partitions must exist for this many days ahead. Longer than any row's lifetime. */
  readonly aheadDays: number;
  /** How long an expired partition is kept. */
  readonly kept: 'a-day' | 'audit-retention' | 'usage-retention';
  /**
   * The day in a partition's name. Earlier releases take it for the first day, add the span that they know, and drop
   * the partition a day later. Where the span has grown, the name must hold the last day.
   */
  readonly namedBy: 'start' | 'end';
  /** The percentage up to which pages are filled, where rows are updated (decision 17). 100 by default. */
  readonly fillfactor?: number;
}

/** Retention times, in days. */
export interface Retention {
  readonly auditRetentionDays: number;
}

export const DEFAULT_RETENTION: Retention = { auditRetentionDays: 365 };

/** The tables whose expired rows are deleted by dropping partitions. */
export const PARTITIONED_TABLES: readonly PartitionedTable[] = [
  { name: 'access_tokens', days: 1, aheadDays: 3, kept: 'a-day', namedBy: 'start' },
  { name: 'oauth_artifacts', days: 1, aheadDays: 3, kept: 'a-day', namedBy: 'start' },
  // Earlier releases create partitions of 7 days further ahead. Less far, so that none overlaps theirs.
  { name: 'refresh_tokens', days: 35, aheadDays: 33, kept: 'a-day', namedBy: 'end' },
  // Far ahead, because every change needs an entry in the audit log.
  { name: 'audit_log', days: 30, aheadDays: 400, kept: 'audit-retention', namedBy: 'start' },
  {
    name: 'usage_counts',
    days: 30,
    aheadDays: 60,
    kept: 'usage-retention',
    namedBy: 'start',
    fillfactor: 50,
  },
];

/**
 * The range of expiry times in which a presented token, code or interaction is looked up, in hours around now. It
 * spans less than a partition, so that a lookup probes two at most (decision 16). Ahead: the lifetime and a margin
 * for clocks. Behind: the time in which an expired one is distinguished from an unknown one and a second use of a
 * code is noticed.
 */
const LOOKED_UP = {
  access_tokens: { behindHours: 21, aheadHours: 2 },
  oauth_artifacts: { behindHours: 21, aheadHours: 2 },
  refresh_tokens: { behindHours: 24, aheadHours: 31 * 24 },
} as const;

/**
 * Makes the SQL condition with which a lookup prunes partitions.
 *
 * @param alias the alias of the table in the query
 */
export function expiresAroundNow(table: keyof typeof LOOKED_UP, alias: string): string {
  const { behindHours, aheadHours } = LOOKED_UP[table];
  return `${alias}.expires_at > gatehouse_now() - interval '${behindHours} hours'
      AND ${alias}.expires_at < gatehouse_now() + interval '${aheadHours} hours'`;
}

/** The key of an advisory lock, used for nothing else. */
const PARTITION_LOCK = 7_305_804_386;
const DAY_MS = 86_400_000;
/** Recently expired rows are kept, to distinguish them from unknown ones. */
const KEEP_DAYS = 1;
/** Thirteen months, so that a month can be compared with that of the year before. */
const USAGE_RETENTION_DAYS = 396;
/** Short, because every query on the table queues behind the wait for this lock. */
const LOCK_TIMEOUT = '500ms';

/** The bounds of a partition, in milliseconds since the epoch; `to` is exclusive. */
interface Span {
  readonly from: number;
  readonly to: number;
}

interface Partition extends Span {
  readonly name: string;
}

/**
 * Creates the partitions for now and the days ahead, by the database's clock. It neither blocks readers and writers
 * nor waits for them, so that a server can start during a backup.
 */
export async function makePartitions(dataSource: DataSource): Promise<void> {
  await dataSource.transaction(async (manager) => {
    // Waits for the lock: when this returns, the partitions exist, whichever replica created them.
    await manager.query(`SELECT pg_advisory_xact_lock($1)`, [PARTITION_LOCK]);
    const now = await begin(manager);
    if (now === undefined) throw new Error('the partition lock could not be taken again');
    for (const table of PARTITIONED_TABLES) await makeAhead(manager, table, now);
  });
}

/**
 * Creates partitions, and drops those whose retention is over. One replica at a time drops.
 *
 * Each drop is a transaction of its own: a long-running reader can deny its lock, and must not prevent new
 * partitions.
 *
 * @throws AggregateError with the errors of failed drops, which are retried the next time
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

/** @returns the time; `undefined` if another replica holds the lock */
async function begin(manager: EntityManager): Promise<Date | undefined> {
  const [row] = await manager.query<[{ locked: boolean; now: Date }]>(
    `SELECT pg_try_advisory_xact_lock($1) AS locked, gatehouse_now() AS now`,
    [PARTITION_LOCK],
  );
  if (row.locked) await manager.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
  return row.locked ? row.now : undefined;
}

/**
 * Lists the partitions, oldest first. Their bounds are read, since their names do not contain the span. One that another
 * replica drops meanwhile has no bounds any more.
 */
async function list(manager: EntityManager, table: PartitionedTable): Promise<Partition[]> {
  return manager.query<Partition[]>(
    `SELECT name,
       coalesce(extract(epoch FROM substring(bound FROM $2)::timestamptz) * 1000, 0)::float8 AS from,
       (extract(epoch FROM substring(bound FROM $3)::timestamptz) * 1000)::float8 AS to
     FROM (SELECT quote_ident(c.relname) AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
       FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = $1::regclass) AS partition
     WHERE bound IS NOT NULL
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
  const days: Readonly<Record<PartitionedTable['kept'], number>> = {
    'a-day': KEEP_DAYS,
    'audit-retention': auditRetentionDays,
    'usage-retention': USAGE_RETENTION_DAYS,
  };
  for (const table of PARTITIONED_TABLES) {
    const keepDays = days[table.kept];
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
    // ATTACH PARTITION, unlike CREATE TABLE … PARTITION OF, does not block readers and writers.
    await manager.query(
      `CREATE TABLE ${name} (LIKE ${table.name} INCLUDING ALL) WITH (fillfactor = ${table.fillfactor ?? 100})`,
    );
    await manager.query(
      `ALTER TABLE ${table.name} ATTACH PARTITION ${name}
       FOR VALUES FROM ('${new Date(from).toISOString()}') TO ('${new Date(to).toISOString()}')`,
    );
  }
}

/**
 * The spans from now on that no partition covers. They end at multiples of the table's span since the epoch, so that
 * every replica computes the same bounds, or where a partition of another span begins.
 */
function missing(known: readonly Partition[], table: PartitionedTable, now: number): Span[] {
  const length = table.days * DAY_MS;
  const spans: Span[] = [];
  // A partition of another span may begin before now, between two of these bounds.
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
