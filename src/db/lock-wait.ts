import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';

import { errorCode } from './errors.js';

/** The log of migrations. A pino logger fits. */
export interface MigrationLog {
  info(at: object, message: string): void;
  warn(at: object, message: string): void;
}

/** A connection that holds a lock for which a migration waits. */
interface Holder {
  readonly pid: number;
  readonly application: string | null;
  readonly user: string | null;
  /** Start of its transaction. Known for connections of the same role only. */
  readonly since: Date | null;
  /** The id of its transaction. A later transaction of the same connection has another id. */
  readonly transaction: string | null;
  /** Whether other connections queue behind the waiting one, for a lock that it holds or waits for. */
  readonly holdsUpOthers: boolean;
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
  run(): Promise<void>;
}

/** Below the verifier's statement timeout (`session.ts`), so that queries queued behind the wait are still answered. */
export const MAX_WAIT_MS = 2000;
const POLL_EVERY_MS = 200;
/** A wait begins up to a poll before it is noticed, and ends up to a poll after its time. */
const NOTICED_WAIT_MS = MAX_WAIT_MS - 2 * POLL_EVERY_MS;
const LOG_EVERY_MS = 60_000;
/** The shortest pause between two attempts. Queued queries run meanwhile. */
const PAUSE_MS = 1000;
/** The longest pause between two attempts, if the end of a holder is not noticed. */
const MAX_PAUSE_MS = 30_000;

/** SQLSTATEs after which an attempt is repeated: lock_not_available, query_canceled, deadlock_detected. */
const RETRIED = ['55P03', '57014', '40P01'];

/**
 * Repeats `work.run` until locks of other connections do not block it. Logs the holders of the locks. A wait behind
 * which other connections queue ends after `MAX_WAIT_MS`. Any other wait is unlimited.
 *
 * @throws the signal's reason if it is aborted while waiting, and the errors of `work.run`
 */
export async function runDespiteLocks(work: WaitingWork): Promise<void> {
  const [{ pid }] = (await work.runner.query('SELECT pg_backend_pid() AS pid')) as [
    { pid: number },
  ];
  const logHolders = createHolderLog(work);
  for (;;) {
    work.signal?.throwIfAborted();
    const watch = watchWait(work, pid, logHolders);
    try {
      await work.run();
      return;
    } catch (error) {
      if (!RETRIED.includes(errorCode(error) ?? '')) throw error;
    } finally {
      await watch.stop();
    }
    work.signal?.throwIfAborted();
    await waitForRelease(work, watch.holders());
  }
}

/** Polls the holders of locks for which the connection `pid` waits, and cancels a wait that lasts too long. */
function watchWait(
  work: WaitingWork,
  pid: number,
  logHolders: (holders: readonly Holder[]) => void,
) {
  const stopped = new AbortController();
  let holders: readonly Holder[] = [];
  let waitingSince: number | undefined;

  async function poll(): Promise<void> {
    const found = await findHolders(work.dataSource, pid).catch(() => []);
    if (found.length === 0) return;
    holders = found;
    logHolders(found);
    if (found.some(({ holdsUpOthers }) => holdsUpOthers)) waitingSince ??= performance.now();
    // Several waits of one transaction add up, since its earlier locks are held meanwhile.
    const isOver = waitingSince !== undefined && performance.now() - waitingSince > NOTICED_WAIT_MS;
    if (isOver || work.signal?.aborted) {
      await work.dataSource.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined);
    }
  }

  const watching = (async () => {
    while (await pause(POLL_EVERY_MS, stopped.signal)) await poll();
  })();
  return {
    holders: () => holders,
    async stop() {
      stopped.abort();
      await watching;
    },
  };
}

/** Modes of locks on tables that readers or writers queue behind. */
const STRONG = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'];

async function findHolders(dataSource: DataSource, pid: number): Promise<readonly Holder[]> {
  return dataSource.query<Holder[]>(
    `SELECT holder.pid, a.application_name AS application, a.usename AS "user", a.xact_start AS since,
       (SELECT l.virtualtransaction FROM pg_locks l WHERE l.pid = holder.pid LIMIT 1) AS transaction,
       EXISTS (SELECT FROM pg_locks l WHERE l.pid = $1 AND l.locktype = 'relation' AND l.mode = ANY ($2))
         AS "holdsUpOthers"
     FROM unnest(pg_blocking_pids($1)) AS holder (pid) LEFT JOIN pg_stat_activity a USING (pid)`,
    [pid, STRONG],
  );
}

/** Waits until the holders' transactions have ended. An earlier attempt would only make others queue. */
async function waitForRelease(work: WaitingWork, holders: readonly Holder[]): Promise<void> {
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

/** Logs each set of holders once, and again every minute. */
function createHolderLog({ log, name }: WaitingWork) {
  let loggedPids = '';
  let loggedAt = 0;
  return (holders: readonly Holder[]) => {
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
