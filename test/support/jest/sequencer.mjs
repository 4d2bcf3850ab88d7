// Starts long test files first, so that no worker is left with one at the end. Jest knows how long a file took the last time;
// in a fresh clone, and for a new file, the imports tell: files that start processes take longest.
import Sequencer from '@jest/test-sequencer';
import { readFileSync } from 'node:fs';

const STARTS_PROCESSES =
  /support\/\w+\/(browser|browser-app|crash|flood|postgres-processes|server-process|temporary-postgres)\.js'/;
const PROCESSES_MS = 10_000;
const OTHERS_MS = 3000;

export default class SlowestFirst extends Sequencer {
  sort(tests) {
    const durations = new Map(tests.map((test) => [test, durationOf(test, this.time(test))]));
    const rank = (test) => (this.hasFailed(test) ? Infinity : durations.get(test));
    // Failed files of the last run come first, as in Jest's own order.
    return super.sort(tests).toSorted((a, b) => compare(rank(b), rank(a)));
  }
}

function durationOf({ path }, measured) {
  if (measured !== undefined) return measured;
  return STARTS_PROCESSES.test(readFileSync(path, 'utf8')) ? PROCESSES_MS : OTHERS_MS;
}

function compare(a, b) {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
