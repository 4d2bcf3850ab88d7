import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The work of each process that answers requests. */
export const PROCESS_TASKS = [
  'last_use',
  'usage_counts',
  'refused_uses',
  'moved_digests',
  'refused_sign_ins',
  'budgets',
  'signing_keys',
  'imported_prefixes',
] as const;

/** The work that one process does for all workers. */
export const SHARED_TASKS = ['cleanup', 'mail', 'webhooks'] as const;

const TASKS = [...PROCESS_TASKS, ...SHARED_TASKS] as const;

/** Work that no request waits for. */
export type Task = (typeof TASKS)[number];

/** Measures background work, so that its failures and its silence show in the metrics. */
export interface BackgroundWork {
  /**
   * Runs a task once and counts it.
   * @throws whatever the task throws
   */
  run<Result>(task: Task, work: () => Promise<Result>): Promise<Result>;
  /** Shows how much waits for the next run of a task. */
  readonly watchPending: (task: Task, count: () => number) => void;
  /** Counts rows that the cleanup deleted from a table. */
  readonly countDeleted: (table: string, rows: number) => void;
}

const SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** @param tasks the work of this process */
export function createBackgroundWork(
  register: Registry,
  tasks: readonly Task[] = TASKS,
): BackgroundWork {
  const registers = [register];
  const runs = new Counter({
    name: 'gatehouse_background_runs_total',
    help: 'Runs of background work, by task and outcome.',
    labelNames: ['task', 'outcome'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'gatehouse_background_run_duration_seconds',
    help: 'Time that a run of background work took.',
    labelNames: ['task'] as const,
    buckets: SECONDS,
    registers,
  });
  const succeeded = new Gauge({
    name: 'gatehouse_background_last_success_timestamp_seconds',
    help: 'When background work last succeeded; before its first success, when the process started.',
    labelNames: ['task'] as const,
    registers,
    aggregator: 'min',
  });
  const deleted = new Counter({
    name: 'gatehouse_cleanup_deleted_rows_total',
    help: 'Expired rows that the cleanup deleted, by table.',
    labelNames: ['table'] as const,
    registers,
  });
  for (const task of tasks) {
    succeeded.setToCurrentTime({ task });
    for (const outcome of ['success', 'failure']) runs.inc({ task, outcome }, 0);
  }

  return {
    async run(task, work) {
      const end = seconds.startTimer({ task });
      try {
        const result = await work();
        runs.inc({ task, outcome: 'success' });
        succeeded.setToCurrentTime({ task });
        return result;
      } catch (error) {
        runs.inc({ task, outcome: 'failure' });
        throw error;
      } finally {
        end();
      }
    },
    watchPending: createPendingGauge(register),
    countDeleted: (table, rows) => deleted.inc({ table }, rows),
  };
}

function createPendingGauge(register: Registry): BackgroundWork['watchPending'] {
  const counts = new Map<Task, () => number>();
  const pending = new Gauge({
    name: 'gatehouse_background_pending',
    help: 'Entries in memory that wait to be written, by task.',
    labelNames: ['task'] as const,
    registers: [register],
    collect() {
      for (const [task, count] of counts) pending.set({ task }, count());
    },
  });
  return (task, count) => void counts.set(task, count);
}
