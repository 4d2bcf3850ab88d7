import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';

import { errorCode } from './errors.js';

/** Where a migration says what it does. A pino logger fits. */
export interface MigrationLog {
  info(at: object, message: string): void;
  warn(at: object, message: string): void;
}

/** A connection that holds a lock which a migration waits for. */
interface Holder {
  readonly pid: number;
  readonly application: string | null;
  readonly user: string | null;
  /** When its transaction began; only known of the role's own connections. */
  readonly since: Date | null;
  /** Its transaction, which a later one of the same connection differs from. */
  readonly transaction: string | null;
}

/** Work on one connection that may have to wait for locks of others. */
export interface WaitingWork {
  /** For asking who holds the locks: the connection that waits cannot. */
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  /** Its name in the log. */
  readonly name: string;
  /**
   * Whether others queue behind a lock that it waits for. Such a wait ends after `MAX_WAIT_MS` and is tried
   * again; any other lasts as long as it takes.
   */
  readonly holdsUpOthers: boolean;
  readonly log: MigrationLog;
  readonly signal: AbortSignal | undefined;
  run(): Promise<void>;
}

/** Below the time after which the verifier gives up (`verifier-pool.ts`): what queues behind the wait is still answered. */
export const MAX_WAIT_MS = 2000;
const LOOK_EVERY_MS = 200;
const TELL_EVERY_MS = 60_000;
/** Between two tries at least, so that what has queued gets through. */
const PAUSE_MS = 1000;
/** Between two tries at most, should a holder not be seen to end. */
const MAX_PAUSE_MS = 30_000;

/** A lock was not to be had in time (55P03), waiting for it was ended (57014), or two waited for each other (40P01). */
const REFUSED = ['55P03', '57014', '40P01'];

/**
 * Runs `work.run` until no lock of others stands in its way. Says in the log what it waits for.
 *
 * @throws the signal's reason if it is aborted while waiting, and whatever else `work.run` throws
 */
export async function runPatiently(work: WaitingWork): Promise<void> {
  const [{ pid }] = (await work.runner.query('SELECT pg_backend_pid() AS pid')) as [
    { pid: number },
  ];
  const tell = createTeller(work);
  for (;;) {
    work.signal?.throwIfAborted();
    const watch = watchWait(work, pid, tell);
    try {
      await work.run();
      return;
    } catch (error) {
      if (!REFUSED.includes(errorCode(error) ?? '')) throw error;
    } finally {
      await watch.stop();
    }
    work.signal?.throwIfAborted();
    await whileHeld(work, watch.holders());
  }
}

/** Looks every now and then whom the connection `pid` waits for, and ends a wait that must not last longer. */
function watchWait(work: WaitingWork, pid: number, tell: (holders: readonly Holder[]) => void) {
  const stopped = new AbortController();
  let holders: readonly Holder[] = [];
  let waitingSince: number | undefined;

  async function look(): Promise<void> {
    const found = await findHolders(work.dataSource, pid).catch(() => []);
    if (found.length === 0) return;
    holders = found;
    tell(found);
    waitingSince ??= performance.now();
    // Several waits of one transaction add up: what it has locked already stays locked meanwhile.
    const isOver = work.holdsUpOthers && performance.now() - waitingSince > MAX_WAIT_MS;
    if (isOver || work.signal?.aborted) {
      await work.dataSource.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined);
    }
  }

  const watching = (async () => {
    while (await pause(LOOK_EVERY_MS, stopped.signal)) await look();
  })();
  return {
    holders: () => holders,
    async stop() {
      stopped.abort();
      await watching;
    },
  };
}

async function findHolders(dataSource: DataSource, pid: number): Promise<readonly Holder[]> {
  return dataSource.query<Holder[]>(
    `SELECT holder.pid, a.application_name AS application, a.usename AS "user", a.xact_start AS since,
       (SELECT l.virtualtransaction FROM pg_locks l WHERE l.pid = holder.pid LIMIT 1) AS transaction
     FROM unnest(pg_blocking_pids($1)) AS holder (pid) LEFT JOIN pg_stat_activity a USING (pid)`,
    [pid],
  );
}

/** Returns once the holders' transactions have ended: trying before would only make others queue. */
async function whileHeld(work: WaitingWork, holders: readonly Holder[]): Promise<void> {
  const transactions = holders.flatMap(({ transaction }) => transaction ?? []);
  const until = performance.now() + MAX_PAUSE_MS;
  do {
    await pause(PAUSE_MS, work.signal);
    work.signal?.throwIfAborted();
    const rows = await work.dataSource.query<unknown[]>(
      'SELECT FROM pg_locks WHERE virtualtransaction = ANY ($1) LIMIT 1',
      [transactions],
    );
    if (rows.length === 0) return;
  } while (performance.now() < until);
}

/** Tells of each set of holders once, and again every minute. */
function createTeller({ log, name }: WaitingWork) {
  let toldOf = '';
  let toldAt = 0;
  return (holders: readonly Holder[]) => {
    const pids = holders.map(({ pid }) => pid).join(' ');
    if (pids === toldOf && performance.now() - toldAt < TELL_EVERY_MS) return;
    toldOf = pids;
    toldAt = performance.now();
    const waitsFor = holders.map(({ pid, application, user, since }) => {
      return { pid, application, user, since };
    });
    log.warn({ migration: name, waitsFor }, 'a migration waits for locks that others hold');
  };
}

/** @returns false if the signal was aborted */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false);
}
