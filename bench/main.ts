import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';

import { createKeyring } from '../src/credentials/keyring.js';
import { createSecretFormat } from '../src/credentials/secret-format.js';
import { createDataSource } from '../src/db/data-source.js';
import { ENTITIES } from '../src/entities.js';
import { startTemporaryPostgres } from '../test/support/temporary-postgres.js';
import { createLoad, type Load, type LoadResult } from './load.js';
import { CORES, startServer } from './processes.js';
import { seedKeys } from './seed.js';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '5' },
    pairs: { type: 'string', default: '5' },
  },
});
const SECONDS = Number(values.seconds);
const PAIRS = Number(values.pairs);
const SECRET_KEY = 'a secret key that only the benchmark uses';

const here = path.dirname(fileURLToPath(import.meta.url));
const SERVERS = {
  floor: path.join(here, 'floor.js'),
  gatehouse: path.join(here, '../src/main.js'),
  'one query a request': path.join(here, 'single-query.js'),
};

interface Run extends LoadResult {
  /** Processor time of the server for one request, in microseconds. */
  readonly cpu: number;
}

/** Runs load against a server that is started for it alone. */
async function measure(script: string, env: Record<string, string>, load: Load): Promise<Run> {
  const server = await startServer(script, env);
  try {
    await load(server.port, 2);
    const before = server.cpuMicros();
    const result = await load(server.port, SECONDS);
    if (result.failures > 0) throw new Error(`${result.failures} answers of ${script} failed`);
    return { ...result, cpu: (server.cpuMicros() - before) / result.requests };
  } finally {
    await server.stop();
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function report(name: string, runs: readonly Run[], ratios: readonly number[]): void {
  const figure = (pick: (run: Run) => number, digits: number) =>
    median(runs.map(pick)).toFixed(digits).padStart(9);
  console.log(
    [
      name.padEnd(34),
      median(ratios).toFixed(3).padStart(7),
      figure(({ perSecond }) => perSecond, 0),
      figure(({ p50 }) => p50, 2),
      figure(({ p99 }) => p99, 2),
      figure(({ cpu }) => cpu, 1),
    ].join(' '),
  );
}

/** Compares a server with the floor in interleaved pairs, so that drift hits both alike. */
async function compare(
  name: string,
  script: string,
  env: Record<string, string>,
  load: Load,
): Promise<number> {
  const [runs, floors]: [Run[], Run[]] = [[], []];
  for (let pair = 0; pair < PAIRS; pair++) {
    floors.push(await measure(SERVERS.floor, env, load));
    runs.push(await measure(script, env, load));
  }
  const ratios = runs.map((run, index) => run.perSecond / (floors[index]?.perSecond ?? 0));
  report(
    '  bare Koa + router (the floor)',
    floors,
    floors.map(() => 1),
  );
  report(name, runs, ratios);
  return median(ratios);
}

// A million keys and their index fit, as on a database server that is given its share of memory.
const postgres = await startTemporaryPostgres({ shared_buffers: '2GB' });
try {
  pinDatabase(postgres.directory);
  const keyring = createKeyring([SECRET_KEY]);
  const format = createSecretFormat({ brand: 'bwp' });
  console.log(
    'GET /api/v1/me, 50 connections. Ratios to the floor are medians of interleaved pairs.',
  );
  console.log(`${''.padEnd(34)}   ratio     req/s       p50       p99    µs cpu`);
  const ratios: number[] = [];
  for (const count of [Number(values.keys), 1000]) {
    const database = `bench_${count}`;
    await asAdmin(`CREATE DATABASE ${database}`);
    const target = { ...postgres.connection, database };
    await migrate(target);
    const load = createLoad(await seedKeys(target, { count, keyring, format }));
    const { host, port, user, password } = target;
    const env = {
      DATABASE_URL: `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
      SECRET_KEYS: SECRET_KEY,
      LOG_LEVEL: 'info',
    };
    const label = `${count.toLocaleString('en')} keys (${load.name})`;
    ratios.push(await compare(label, SERVERS.gatehouse, env, load.run));
    if (ratios.length === 1) {
      await compare('  one query a request', SERVERS['one query a request'], env, load.run);
    }
    load.close();
  }
  const [many = 0, few = 1] = ratios;
  console.log(`\nMany keys against few: ${(many / few).toFixed(3)} (target: at least 0.9)`);
  console.log(`Verification against the floor: ${many.toFixed(3)} (target: at least 0.6)`);
} finally {
  await postgres.stop();
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client(postgres.connection);
  await client.connect();
  await client.query(sql);
  await client.end();
}

async function migrate(target: typeof postgres.connection): Promise<void> {
  const dataSource = await createDataSource(target, ENTITIES, console.error).initialize();
  await dataSource.runMigrations();
  await dataSource.destroy();
}

/** The server and what it has started so far; backends to come inherit it. */
function pinDatabase(directory: string): void {
  const find = (...by: string[]) =>
    spawnSync('pgrep', by, { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  const servers = find('-f', directory);
  for (const pid of [...servers, ...servers.flatMap((server) => find('-P', server))]) {
    spawnSync('taskset', ['-a', '-cp', CORES.rest, pid]);
  }
}
