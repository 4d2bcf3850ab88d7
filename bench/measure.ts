import { createLoad, filled, linesOf, type LoadResult, type Requests } from './load.js';
import { SERVER_LOG, startServer } from './processes.js';

const WARM_UP_SECONDS = 2;

/** How long and how often everything is measured. */
export interface Pace {
  readonly seconds: number;
  readonly rounds: number;
}

/** A server with what is asked of it. */
export interface Contestant {
  readonly name: string;
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  readonly requests: Requests;
  /** Text that every right answer contains. */
  readonly expected: string;
  /** Processor time of the database so far, in microseconds, where it is to be reported. */
  readonly databaseCpu?: () => number;
  /** Run before each start. */
  readonly prepare?: () => Promise<void>;
}

interface Run extends LoadResult {
  /** Processor time of the server for one request, in microseconds. */
  readonly cpu: number;
  /** The same of the database; 0 where it was not asked for. */
  readonly databaseCpu: number;
}

/** How many requests a run may take, its warming up included, at a number of requests a second. */
export function requestsIn({ seconds }: Pace, perSecond: number): number {
  return (WARM_UP_SECONDS + seconds) * perSecond;
}

/** Runs load against a server that is started for it alone. */
async function measure(contestant: Contestant, seconds: number): Promise<Run> {
  await contestant.prepare?.();
  const server = await startServer(contestant.script, contestant.env);
  // Only now: a server may have written its file itself.
  const load = createLoad(contestant.requests);
  try {
    await probe(contestant, server.port);
    await load.run(server.port, WARM_UP_SECONDS);
    const { databaseCpu = () => 0 } = contestant;
    const before = [server.cpuMicros(), databaseCpu()] as const;
    const result = await load.run(server.port, seconds);
    const cpu = (server.cpuMicros() - before[0]) / result.requests;
    const database = (databaseCpu() - before[1]) / result.requests;
    if (result.failures > 0) {
      throw new Error(`${result.failures} answers of ${contestant.name} failed; see ${SERVER_LOG}`);
    }
    await probe(contestant, server.port);
    return { ...result, cpu, databaseCpu: database };
  } finally {
    load.close();
    await server.stop();
  }
}

/** A load tells answers by their status only; here their content is looked at, with a line that it comes to last. */
async function probe({ name, requests, expected }: Contestant, port: number): Promise<void> {
  const { template, file, isOneShot } = requests;
  // Those that are good once only are told by their status well enough.
  if (isOneShot) return;
  const { path, ...init } = filled(template, linesOf(file).at(-1) ?? '');
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
  const body = await answer.text();
  if (!body.includes(expected)) throw new Error(`${name} answered ${answer.status}: ${body}`);
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

/** Medians of what the rounds showed. */
export interface Comparison {
  /** One contestant's throughput as a share of another's: the median over the rounds. */
  ratio(name: string, base: string): number;
  /** As `ratio`, of processor time for a request: the base's as a share of the contestant's. */
  cpuRatio(name: string, base: string): number;
  /** Processor time for a request of a contestant, in microseconds: the server's and the database's. */
  micros(name: string): readonly [server: number, database: number];
}

/**
 * Measures contestants in turn, round after round, so that drift hits all alike, and prints what
 * was seen.
 *
 * @param contestants the first one is what all are compared with
 */
export async function compare(contestants: readonly Contestant[], pace: Pace): Promise<Comparison> {
  const runs = new Map<string, Run[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < pace.rounds; round += 1) {
    for (const contestant of contestants) {
      runs.get(contestant.name)?.push(await measure(contestant, pace.seconds));
    }
  }
  const comparison: Comparison = {
    ratio(name, base) {
      const bases = runs.get(base) ?? [];
      const own = runs.get(name) ?? [];
      return median(own.map((run, index) => run.perSecond / (bases[index]?.perSecond ?? 0)));
    },
    cpuRatio(name, base) {
      const bases = runs.get(base) ?? [];
      const own = runs.get(name) ?? [];
      return median(own.map((run, index) => (bases[index]?.cpu ?? 0) / run.cpu));
    },
    micros(name) {
      const own = runs.get(name) ?? [];
      return [median(own.map(({ cpu }) => cpu)), median(own.map((run) => run.databaseCpu))];
    },
  };
  const base = contestants[0]?.name ?? '';
  for (const [name, all] of runs) {
    report(name, all, [comparison.ratio(name, base), comparison.cpuRatio(name, base)]);
  }
  return comparison;
}

/** Above the figures of a comparison. */
export function printHeading(title: string): void {
  console.log(
    `\n${title.padEnd(42)}   ratio  of cpu     req/s       p50       p99    µs cpu    busy     µs db`,
  );
}

function report(name: string, runs: readonly Run[], ratios: readonly number[]): void {
  const figure = (pick: (run: Run) => number, digits: number) =>
    median(runs.map(pick)).toFixed(digits).padStart(9);
  const busy = median(runs.map(({ cpu, perSecond }) => (cpu * perSecond) / 1e4));
  console.log(
    [
      `  ${name}`.padEnd(42),
      ...ratios.map((ratio) => ratio.toFixed(3).padStart(7)),
      figure(({ perSecond }) => perSecond, 0),
      figure(({ p50 }) => p50, 2),
      figure(({ p99 }) => p99, 2),
      figure(({ cpu }) => cpu, 1),
      `${busy.toFixed(0)}%`.padStart(7),
      figure(({ databaseCpu }) => databaseCpu, 1),
    ].join(' '),
  );
}

/** A cost beside what it may be. */
export function printBound(what: string, figure: number, bound: number): void {
  const verdict = figure <= bound ? 'met' : 'MISSED';
  console.log(`  ${what}: ${figure.toFixed(1)} µs (target: at most ${bound}) ${verdict}`);
}

/** A promise beside what was found. */
export function printTarget(what: string, figure: number, target: number): void {
  const verdict = figure >= target ? 'met' : 'MISSED';
  console.log(`  ${what}: ${figure.toFixed(3)} (target: at least ${target}) ${verdict}`);
}
