import type { Logger } from 'pino';

import { StartupError } from '../../db/startup-error.js';
import type { End, WorkerProcess } from './worker-process.js';

/** A worker that ends younger counts as a failure. */
const STABLE_AFTER_MS = 10_000;
/** The pause before a replacement doubles with each failure. The first failure has the shortest. */
const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Failures for so long, with no worker serving, end the server. */
const GIVE_UP_AFTER_MS = 15_000;

/** Starts workers, and replaces those that end. */
export interface Supervisor {
  /**
   * Starts one worker, and the others when that one serves: a fault of all is then told once.
   * @throws StartupError if a worker ends before all serve
   */
  readonly start: () => Promise<void>;
  /** Rejects with a StartupError when no worker can be kept serving. */
  readonly failed: Promise<never>;
  /** Tells the workers that the server stops. They still get connections, and those that end are not replaced. */
  readonly stop: () => void;
  /** Tells the workers to end. Resolves when all have; those that take longer are killed. */
  readonly drain: (killAfterMs: number) => Promise<void>;
  /** Kills the workers that are left. */
  readonly kill: () => void;
}

interface Dependencies {
  readonly count: number;
  readonly startOne: () => WorkerProcess;
  readonly log: Logger;
}

export function createSupervisor({ count, startOne, log }: Dependencies): Supervisor {
  const running = new Set<WorkerProcess>();
  const pauses = createPauses();
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  // It is not always waited for.
  failed.catch(() => undefined);
  let hasStarted = false;
  let isStopping = false;

  const launch = () => {
    const worker = startOne();
    running.add(worker);
    log.info({ worker: worker.id, pid: worker.pid }, 'a worker starts');
    void worker.ended.then((end) => onEnd(worker, end));
    return worker;
  };
  const onEnd = (worker: WorkerProcess, { code, signal, ranMs }: End) => {
    running.delete(worker);
    if (isStopping) return;
    log.error({ worker: worker.id, pid: worker.pid, code, signal }, 'a worker ended');
    pauses.note(ranMs);
    const serves = [...running].some(({ isServing }) => isServing());
    if (!hasStarted) fail(ended('before the server could serve'));
    else if (!serves && pauses.failingForMs() >= GIVE_UP_AFTER_MS) fail(ended('again and again'));
    else pauses.begin(() => void launch());
  };

  return {
    failed,
    async start() {
      const first = launch();
      await Promise.race([first.serving, failed]);
      const others = Array.from({ length: count - 1 }, () => launch().serving);
      await Promise.race([Promise.all(others), failed]);
      hasStarted = true;
    },
    stop() {
      isStopping = true;
      pauses.end();
      for (const worker of running) worker.order('stop');
    },
    async drain(killAfterMs) {
      for (const worker of running) worker.order('drain');
      const deadline = setTimeout(() => killAll(running), killAfterMs);
      await Promise.all([...running].map((worker) => worker.ended));
      clearTimeout(deadline);
    },
    kill() {
      isStopping = true;
      pauses.end();
      killAll(running);
    },
  };
}

function killAll(workers: Iterable<WorkerProcess>): void {
  for (const worker of workers) worker.kill();
}

function ended(when: string): StartupError {
  return new StartupError(`Workers ended ${when}: their messages are above.`);
}

/** The pauses before replacements. */
function createPauses() {
  const timers = new Set<NodeJS.Timeout>();
  let failures = 0;
  let firstAt = 0;
  let latestAt = Number.NEGATIVE_INFINITY;
  return {
    /** The time from the first failure in a row to the latest one. */
    failingForMs: () => (failures === 0 ? 0 : latestAt - firstAt),
    note(ranMs: number): void {
      const now = performance.now();
      if (ranMs >= STABLE_AFTER_MS) failures = 0;
      // Workers that ran side by side have failed for one reason.
      else if (now - ranMs > latestAt) {
        failures += 1;
        latestAt = now;
        if (failures === 1) firstAt = now;
      }
    },
    begin(then: () => void): void {
      const ms =
        failures === 0 ? 0 : Math.min(SHORTEST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
      const timer = setTimeout(() => {
        timers.delete(timer);
        then();
      }, ms);
      timers.add(timer);
    },
    end(): void {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
