import { createDatabase, urlOf } from './database.js';
import { median, printTarget } from './measure.js';
import { startServer } from './processes.js';
import { type Bench, SERVERS } from './suite.js';

/** Starts of each build. Single ones differ by a fifth. */
const PAIRS = 11;

/** The cost of a start until its first answer. */
interface Start {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Starts on a migrated database: of the merged files that `npm start` runs, and of the separate modules (decision 39). */
export async function measureStart(bench: Bench): Promise<void> {
  const target = await createDatabase(bench.postgres, 'start');
  const env = { ...bench.env, DATABASE_URL: urlOf(target) };
  await start(SERVERS.gatehouse, env);
  const merged: Start[] = [];
  const separate: Start[] = [];
  const startMerged = async () => merged.push(await start(SERVERS.gatehouse, env));
  const startSeparate = async () => separate.push(await start(SERVERS.separateModules, env));
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const inTurn = [startMerged, startSeparate];
    for (const next of pair % 2 === 0 ? inTurn : inTurn.reverse()) await next();
  }
  console.log('\nA start until its first answer');
  report('merged files', merged);
  report('separate modules', separate);
  const ratio = median(separate.map(({ cpuMs }, pair) => cpuMs / (merged[pair]?.cpuMs ?? 0)));
  printTarget('processor time of separate modules to that of merged files', ratio, 1.3);
}

async function start(script: string, env: Readonly<Record<string, string>>): Promise<Start> {
  const began = performance.now();
  const server = await startServer(script, env);
  const result = { wallMs: performance.now() - began, cpuMs: server.cpuMicros() / 1000 };
  await server.stop();
  return result;
}

function report(name: string, starts: readonly Start[]): void {
  const figure = (pick: (start: Start) => number) => median(starts.map(pick)).toFixed(0);
  const cpu = figure(({ cpuMs }) => cpuMs);
  console.log(`  ${name}: ${cpu} ms of processor time, ${figure(({ wallMs }) => wallMs)} ms`);
}
