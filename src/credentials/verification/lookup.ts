import type pg from 'pg';
import type { Registry } from 'prom-client';

import { errorCode, errorMessage } from '../../db/errors.js';
import { createLookupMetrics } from './lookup-metrics.js';
import { LookupStatement, type StatementText } from './lookup-statement.js';

/** One credential to find: the query that finds it, and the digests of its secret, one for each secret key. */
export interface LookupQuestion<Query> {
  readonly query: Query;
  readonly digests: readonly string[];
}

interface Waiter<Query> extends LookupQuestion<Query> {
  /** When it began to wait, in milliseconds. */
  readonly since: number;
  readonly call: Call;
  /** Its place among the lookups of the call. */
  readonly index: number;
}

/** The lookups of one caller. */
interface Call {
  readonly onAsked?: ((at: number) => void) | undefined;
  readonly settle: (row: LookupRow | undefined, index: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The row of one credential: its digest and two texts. All queries have the same columns, so that one statement can
 * unite several.
 */
export type LookupRow = readonly [digest: string, first: string | null, second: string];

/** Queries by their names. Their columns are those of a `LookupRow`. */
export type LookupQueries<Query extends string> = Readonly<
  Record<Query, (digests: string) => string>
>;

/** Finds credentials by their digests. */
export interface Lookup<Query extends string> {
  /**
   * Finds the row under one of these digests, read after this call.
   *
   * @param digests the digests of one secret, one for each secret key
   * @param onAsked called with `performance.now()` directly before the query is sent
   * @throws the database's error after a second attempt; LookupOverload if too many lookups wait
   */
  find(
    query: Query,
    digests: readonly string[],
    onAsked?: (at: number) => void,
  ): Promise<LookupRow | undefined>;
  /**
   * Finds several at once, in their order. perf: one promise for all (decision 23).
   *
   * @throws as `find`, if one of them fails
   */
  findAll(questions: readonly LookupQuestion<Query>[]): Promise<readonly (LookupRow | undefined)[]>;
}

/** A lookup whose database can be probed. */
export interface ProbedLookup<Query extends string> extends Lookup<Query> {
  /**
   * Sends the query of a verification, for a digest that no credential has, over a connection of the verifier's pool.
   * Not counted in the metrics.
   *
   * @throws the database's error after a second attempt
   */
  probe(): Promise<void>;
}

/** Too many lookups wait, or one has waited too long. */
class LookupOverload extends Error {}

interface Options<Query extends string> {
  readonly pool: pg.Pool;
  readonly queries: LookupQueries<Query>;
  readonly register: Registry;
}

/** The number of the pool's connections. While all are busy, waiting lookups form larger batches. */
const MAX_IN_FLIGHT = 4;
const MAX_BATCH = 256;
/** Smaller batches would cost more than they save in waiting. */
const MIN_BATCH = 8;
/** The same for lookups of one call, which all wait for the last of them (decision 23). */
const MIN_BATCH_OF_CALL = 64;
const MAX_WAITING = 10_000;
/** A lookup that waits longer is rejected. */
const MAX_WAIT_MS = 3000;
const LOOK_EVERY_MS = 250;
/** Has the form of a digest. No credential has it. */
const UNUSED_DIGEST = '0'.repeat(64);

/**
 * Batches lookups. Those of one turn of the event loop are divided among the free connections, one prepared query
 * each. While all connections are busy, lookups wait. A lookup never joins a query that was already sent, so it sees
 * everything committed before it was requested.
 */
export function createBatchedLookup<Query extends string>({
  pool,
  queries,
  register,
}: Options<Query>): ProbedLookup<Query> {
  const metrics = createLookupMetrics(pool, register, () => waiting.size());
  const statements = createStatements(queries);
  const waiting = createWaitingList<Query>();
  let inFlight = 0;
  let isScheduled = false;

  function dispatch(): void {
    isScheduled = false;
    waiting.dropOverdue();
    while (waiting.size() > 0 && inFlight < MAX_IN_FLIGHT) {
      // Divided among the free connections, so that batches are processed in parallel.
      const share = Math.ceil(waiting.size() / (MAX_IN_FLIGHT - inFlight));
      const size = Math.min(MAX_BATCH, Math.max(waiting.leastBatch(), share));
      const batch = waiting.take(size);
      inFlight += 1;
      void send(batch).finally(() => {
        inFlight -= 1;
        schedule();
      });
    }
  }

  function schedule(): void {
    if (inFlight >= MAX_IN_FLIGHT) waiting.watch();
    if (isScheduled || waiting.size() === 0 || inFlight >= MAX_IN_FLIGHT) return;
    isScheduled = true;
    setImmediate(dispatch);
  }

  async function send(batch: readonly Waiter<Query>[]): Promise<void> {
    const started = performance.now();
    for (const { call } of batch) call.onAsked?.(started);
    try {
      const rows = await ask(pool, statements(batch));
      for (const { call, index, digests } of batch) call.settle(firstOf(rows, digests), index);
    } catch (error) {
      for (const { call } of batch) call.reject(error);
    }
    metrics.size.observe(batch.length);
    metrics.seconds.observe((performance.now() - started) / 1000);
  }

  return {
    // perf: one promise (decision 22).
    find: (query, digests, onAsked) =>
      new Promise((settle, reject) => {
        waiting.add([{ query, digests }], { onAsked, settle, reject });
        schedule();
      }),
    findAll: (questions) =>
      new Promise((resolve, reject) => {
        if (questions.length === 0) resolve([]);
        waiting.add(questions, joined(questions.length, resolve, reject));
        schedule();
      }),
    async probe() {
      const [query] = Object.keys(queries) as Query[];
      if (query !== undefined) await ask(pool, statements([{ query, digests: [UNUSED_DIGEST] }]));
    },
  };
}

/** A call that gets its rows at once, in their order. */
function joined(
  count: number,
  resolve: (rows: readonly (LookupRow | undefined)[]) => void,
  reject: Call['reject'],
): Call {
  const rows: (LookupRow | undefined)[] = [];
  let left = count;
  return {
    reject,
    settle(row, index) {
      rows[index] = row;
      left -= 1;
      if (left === 0) resolve(rows);
    },
  };
}

/** Lookups that wait for a connection, oldest first. Those that wait for too long are rejected. */
function createWaitingList<Query extends string>() {
  let waiting: Waiter<Query>[] = [];
  let timer: NodeJS.Timeout | undefined;

  /** Rejects lookups that waited too long, for example while the database hung. */
  function dropOverdue(): void {
    const limit = performance.now() - MAX_WAIT_MS;
    const overdue = waiting.findIndex(({ since }) => since > limit);
    const count = overdue === -1 ? waiting.length : overdue;
    for (const { call } of waiting.slice(0, count)) {
      call.reject(new LookupOverload('waited too long'));
    }
    if (count > 0) waiting = waiting.slice(count);
  }

  /** Checks for overdue lookups while every connection is busy and nothing is dispatched. */
  function watch(): void {
    if (timer !== undefined || waiting.length === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      dropOverdue();
      watch();
    }, LOOK_EVERY_MS).unref();
  }

  return {
    size: () => waiting.length,
    /** Fewer are not sent together, unless fewer wait. */
    leastBatch: () =>
      waiting.length > 1 && waiting[0]?.call === waiting[1]?.call ? MIN_BATCH_OF_CALL : MIN_BATCH,
    /** Adds the lookups of a call, or rejects them if too many wait already. */
    add(questions: readonly LookupQuestion<Query>[], call: Call): void {
      if (waiting.length + questions.length > MAX_WAITING) {
        call.reject(new LookupOverload('too many credentials are waiting to be looked up'));
        return;
      }
      const since = performance.now();
      for (const [index, { query, digests }] of questions.entries()) {
        waiting.push({ query, digests, since, call, index });
      }
    },
    take(count: number): readonly Waiter<Query>[] {
      const taken = waiting.slice(0, count);
      waiting = waiting.slice(count);
      return taken;
    },
    dropOverdue,
    watch,
  };
}

type Rows = ReadonlyMap<string, LookupRow>;

/** Runs a statement. Its rows are found by their digests. */
function ask(pool: pg.Pool, statement: StatementText): Promise<Rows> {
  // The pool promises the rows. Its types describe statements of a client only.
  const query = pool.query.bind(pool) as unknown as (
    statement: LookupStatement<LookupRow>,
  ) => Promise<Rows>;
  const run = () => query(new LookupStatement<LookupRow>(statement));
  // Retried once, because a pooled connection may have died. A timeout is not retried, since it would likely
  // time out again.
  return run().catch((error: unknown) => {
    if (isTimeout(error)) throw error;
    return run();
  });
}

/**
 * Makes the prepared statement for a batch, from the queries that occur in it only.
 */
function createStatements<Query extends string>(queries: LookupQueries<Query>) {
  const names = Object.keys(queries) as Query[];
  const texts = new Map<string, string>();

  return (batch: readonly LookupQuestion<Query>[]): StatementText => {
    const asked = new Map<Query, string[]>();
    for (const { query, digests } of batch) {
      const own = asked.get(query);
      if (own === undefined) asked.set(query, [...digests]);
      else own.push(...digests);
    }
    const occurring = names.filter((query) => asked.has(query));
    const name = `verify-${occurring.join('-')}`;
    let text = texts.get(name);
    if (text === undefined) {
      text = occurring.map((query, index) => queries[query](`$${index + 1}`)).join(' UNION ALL ');
      texts.set(name, text);
    }
    // Digests are hexadecimal, so the array needs no quoting.
    const values = occurring.map((query) => `{${(asked.get(query) ?? []).join(',')}}`);
    return { name, text, values };
  };
}

function isTimeout(error: unknown): boolean {
  const code = errorCode(error) ?? '';
  return ['57014', '55P03'].includes(code) || errorMessage(error).includes('timeout');
}

function firstOf(rows: Rows, digests: readonly string[]): LookupRow | undefined {
  for (const digest of digests) {
    const row = rows.get(digest);
    if (row !== undefined) return row;
  }
  return undefined;
}
