import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';

import { errorCode } from './errors.js';
import { findHolders, findStrongLocks, type Holder, type TableLock } from './lock-holders.js';

/** The log of migrations. A pino logger fits. */
export interface MigrationLog {
  info(at: object, message: string): void;
  warn(at: object, message: string): void;
}

/** Work on one connection that may wait for locks of other connections. */
export interface WaitingWork {
  /** For the query that finds the holders of the locks. The waiting connection cannot run it. */
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  /** Its name in the log. */
  readonly name: string;
  readonly log: MigrationLog;
  readonly signal: AbortSignal | undefined;
  run(attempt: Attempt): Promise<void>;
}

interface Attempt {
  /** The time that it may wait for a lock that others queue behind. */
  readonly maxWaitMs: number;
  /**
   * The locks of failed attempts, in an order in which others take them. An attempt that takes them first causes no
   * deadlock.
   */
  readonly locks: readonly TableLock[];
}

/** The first attempt, which requests queued behind it hardly notice. Each further attempt may wait twice as long. */
const FIRST_WAIT_MS = 500;
/** Below the verifier's statement timeout (`session.ts`), so that queries queued behind the wait are still answered. */
const MAX_WAIT_MS = 2000;
/** Requests queue in a deadlock until it is noticed. PostgreSQL itself notices it after a second, and may fail them. */
const POLL_EVERY_MS = 50;
/** Transactions of servers usually end earlier. */
const LOG_AFTER_MS = 200;
const LOG_EVERY_MS = 60_000;
/** The shortest pause between two attempts. Queued queries run meanwhile. */
const PAUSE_MS = 1000;
/** The longest pause between two attempts, should the end of a holder not be noticed. */
const MAX_PAUSE_MS = 600_000;

/** SQLSTATEs after which an attempt is repeated: lock_not_available, query_canceled, deadlock_detected. */
const RETRIED = ['55P03', '57014', '40P01'];

/**
 * Repeats `work.run` until locks of other connections do not block it. Logs the holders of the locks. A wait behind
 * which other connections queue ends after half a second, or after up to two if attempts fail. Any other wait is
 * unlimited.
 *
 * @throws the signal's reason if it is aborted while waiting, and the errors of `work.run`
 */
export async function runDespiteLocks(work: WaitingWork): Promise<void> {
  const [{ pid }] = (await work.runner.query('SELECT pg_backend_pid() AS pid')) as [
    { pid: number },
  ];
  const logHolders = createHolderLog(work);
  let locks: readonly TableLock[] = [];
  for (let maxWaitMs = FIRST_WAIT_MS; ; maxWaitMs = Math.min(2 * maxWaitMs, MAX_WAIT_MS)) {
    work.signal?.throwIfAborted();
    const watch = watchWait(work, { pid, maxWaitMs, logHolders });
    try {
      await work.run({ maxWaitMs, locks });
      return;
    } catch (error) {
      if (!RETRIED.includes(errorCode(error) ?? '')) throw error;
    } finally {
      await watch.stop();
    }
    locks = merge(watch.locks(), locks);
    work.signal?.throwIfAborted();
    await waitForRelease(work, watch.holders(), logHolders);
  }
}

/** Each table once, with its first lock. */
function merge(...lists: readonly (readonly TableLock[])[]): readonly TableLock[] {
  const merged = new Map<string, TableLock>();
  for (const lock of lists.flat()) {
    if (!merged.has(lock.table)) merged.set(lock.table, lock);
  }
  return [...merged.values()];
}

type LogHolders = (holders: readonly Holder[]) => void;

interface Watched {
  readonly pid: number;
  readonly maxWaitMs: number;
  readonly logHolders: LogHolders;
}

/**
 * Polls the holders of locks for which the connection `pid` waits. Cancels a wait that lasts too long, and one that is
 * part of a deadlock.
 */
function watchWait(work: WaitingWork, { pid, maxWaitMs, logHolders }: Watched) {
  const stopped = new AbortController();
  let holders: readonly Holder[] = [];
  let locks: readonly TableLock[] = [];
  let noticedAt: number | undefined;
  let heldUpSince: number | undefined;
  // A wait begins up to a poll before it is noticed, and ends up to a poll after its time.
  const maxNoticedMs = maxWaitMs - 2 * POLL_EVERY_MS;

  async function poll(): Promise<void> {
    const found = await findHolders(work.dataSource, pid);
    if (found.length === 0) return;
    holders = found;
    locks = await findStrongLocks(work.dataSource, pid);
    const now = performance.now();
    noticedAt ??= now;
    if (now - noticedAt > LOG_AFTER_MS) logHolders(holders);
    if (locks.length > 0) heldUpSince ??= now;
    // Several waits of one transaction add up, since its earlier locks are held meanwhile.
    const isOver = heldUpSince !== undefined && now - heldUpSince > maxNoticedMs;
    if (isOver || work.signal?.aborted || holders.some(({ waitsToo }) => waitsToo)) {
      await work.dataSource.query('SELECT pg_cancel_backend($1)', [pid]);
    }
  }

  const watching = (async () => {
    while (await pause(POLL_EVERY_MS, stopped.signal)) await poll().catch(() => undefined);
  })();
  return {
    holders: () => holders,
    locks: () => locks,
    async stop() {
      stopped.abort();
      await watching;
    },
  };
}

/** Waits until the holders' transactions have ended. An earlier attempt would only make others queue. */
async function waitForRelease(
  work: WaitingWork,
  holders: readonly Holder[],
  logHolders: LogHolders,
): Promise<void> {
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
    logHolders(holders);
  } while (performance.now() < until);
}

/** Logs each set of holders once, and again every minute. */
function createHolderLog({ log, name }: WaitingWork): LogHolders {
  let loggedPids = '';
  let loggedAt = 0;
  return (holders) => {
    const pids = holders.map(({ pid }) => pid).join(' ');
    if (pids === loggedPids && performance.now() - loggedAt < LOG_EVERY_MS) return;
    loggedPids = pids;
    loggedAt = performance.now();
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
