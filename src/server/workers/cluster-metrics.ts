import type { Worker } from 'node:cluster';
import { AggregatorRegistry, type Registry } from 'prom-client';

import { order, type Report, type Snapshot } from './messages.js';

/** A worker that has not answered in this time is represented by its last answer. */
const ANSWER_WITHIN_MS = 2000;

/** Values that only grow. Those of a worker that has ended still count, otherwise sums would fall. */
const GROWING: ReadonlySet<string> = new Set(['counter', 'histogram', 'summary']);

/** The metrics of the primary process and its workers, in one text. */
export interface ClusterMetrics extends Pick<Registry, 'contentType' | 'metrics'> {
  /** Includes a worker until it ends. */
  readonly add: (worker: Worker) => void;
}

/** @param own the metrics of the primary process */
export function createClusterMetrics(own: Registry): ClusterMetrics {
  const latest = new Map<Worker, Snapshot>();
  let ended: Snapshot[] = [];
  const ask = createInquiry();

  return {
    contentType: own.contentType,
    add(worker) {
      latest.set(worker, []);
      worker.once('exit', () => {
        const snapshot = latest.get(worker) ?? [];
        latest.delete(worker);
        // Only what was shown: the sums continue from there.
        ended.push(snapshot.filter(({ type }) => GROWING.has(String(type))));
      });
    },
    async metrics() {
      const answers = [...latest.keys()].map(async (worker) => {
        const snapshot = await ask(worker);
        if (snapshot !== undefined && latest.has(worker)) latest.set(worker, snapshot);
      });
      await Promise.all(answers);
      const folded = ended.splice(0);
      ended.push(await AggregatorRegistry.aggregate(folded).getMetricsAsJSON());
      const shown = [await own.getMetricsAsJSON(), ...ended, ...latest.values()];
      return AggregatorRegistry.aggregate(shown).metrics();
    },
  };
}

/** @returns asks a worker for its metrics; `undefined` if it does not answer */
function createInquiry(): (worker: Worker) => Promise<Snapshot | undefined> {
  let questions = 0;
  return (worker) =>
    new Promise((resolve) => {
      questions += 1;
      const id = questions;
      const settle = (snapshot?: Snapshot) => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('exit', onExit);
        resolve(snapshot);
      };
      const onExit = () => settle();
      const onMessage = (message: Report) => {
        if (message.type === 'metrics' && message.id === id) settle(message.snapshot);
      };
      const timer = setTimeout(settle, ANSWER_WITHIN_MS);
      worker.on('message', onMessage).once('exit', onExit);
      order(worker, { type: 'metrics', id });
    });
}
