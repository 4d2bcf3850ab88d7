import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';

import { createId } from '../src/db/id.js';
import { createDatabase, urlOf, type Target } from './database.js';
import { NEVER_REACHED } from './configurations.js';
import { createLoad } from './load.js';
import { median, printTarget } from './measure.js';
import { ME } from './oauth-fixture.js';
import { CORES, databaseCpuMicros, pinned, startServer } from './processes.js';
import { seedKeys } from './seed.js';
import { SERVERS, type Bench } from './suite.js';

const KEYS = 10_000;
const WARM_UP_SECONDS = 2;

interface Caller {
  readonly url: string;
  readonly credential: string;
  readonly file: string;
  readonly seconds: number;
}

interface Calls {
  readonly verdicts: number;
  readonly perSecond: number;
}

/**
 * Verdicts through the guard package, beside requests of the floor. The caller keeps the other core busy, which makes every
 * server dearer: it is woken for fewer requests at a time, and shares caches. So the floor is measured beside a busy process,
 * too.
 */
export async function measureGuard(bench: Bench): Promise<void> {
  const target = await createDatabase(bench.postgres, 'guard');
  const file = path.join(bench.folder, 'guard-keys.txt');
  writeFileSync(file, (await seedKeys(target, { ...bench, count: KEYS })).join('\n'));
  const credential = await seedService(target, bench);
  const env = { ...bench.env, DATABASE_URL: urlOf(target), ...NEVER_REACHED };
  const { seconds, rounds } = bench.pace;

  const floors: number[] = [];
  const floorsBeside: number[] = [];
  const exact: Measured[] = [];
  for (let round = 0; round < rounds; round += 1) {
    floors.push(await measureFloor(file, env, seconds));
    const beside = call(
      { url: 'http://localhost', credential, file, seconds: seconds + WARM_UP_SECONDS },
      'busy',
    );
    floorsBeside.push(await measureFloor(file, env, seconds));
    await beside;
    exact.push(await measureExact(bench, env, { credential, file, seconds }));
  }
  const floor = median(floors);
  const floorBeside = median(floorsBeside);
  const of = (pick: (run: Measured) => number) => median(exact.map(pick));
  console.log('\nThe guard package, exact, 2,048 calls at once');
  console.log(
    `  floor: ${floor.toFixed(1)} µs of the server a request, ${floorBeside.toFixed(1)} beside a busy process`,
  );
  console.log(
    `  ${of(({ perSecond }) => perSecond).toFixed(0)} verdicts/s; a verdict takes ${of(({ cpu }) => cpu).toFixed(1)} µs of ` +
      `the server and ${of(({ databaseCpu }) => databaseCpu).toFixed(1)} µs of the database`,
  );
  const verdict = of(({ cpu }) => cpu);
  printTarget("Verdicts of a core against the floor's requests", floor / verdict, 2);
  printTarget('The same, floor beside a busy process', floorBeside / verdict, 2);

  const server = await startServer(SERVERS.gatehouse, bench.env && { ...env, ...NO_BUDGETS });
  try {
    const url = `http://127.0.0.1:${server.port}`;
    const kept: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      kept.push((await call({ url, credential, file, seconds }, 'kept')).perSecond);
    }
    console.log('The guard package, kept verdicts');
    printTarget('Millions of verdicts a second in the caller', median(kept) / 1e6, 0.5);
  } finally {
    await server.stop();
  }
}

/** Without budgets nothing has to be reported. */
const NO_BUDGETS = { RATE_LIMIT_TENANT_PER_HOUR: '0', RATE_LIMIT_KEY_PER_MINUTE: '0' };

interface Measured extends Calls {
  /** Processor time for one verdict, in microseconds. */
  readonly cpu: number;
  readonly databaseCpu: number;
}

/** @returns the processor time of a request, in microseconds */
async function measureFloor(
  file: string,
  env: Readonly<Record<string, string>>,
  seconds: number,
): Promise<number> {
  const server = await startServer(SERVERS.floor, env);
  const load = createLoad({ template: ME, file, isOneShot: false });
  try {
    await load.run(server.port, WARM_UP_SECONDS);
    const before = server.cpuMicros();
    const { requests } = await load.run(server.port, seconds);
    return (server.cpuMicros() - before) / requests;
  } finally {
    load.close();
    await server.stop();
  }
}

async function measureExact(
  { postgres }: Bench,
  env: Readonly<Record<string, string>>,
  caller: Omit<Caller, 'url'>,
): Promise<Measured> {
  const server = await startServer(SERVERS.gatehouse, env);
  const used = () => [server.cpuMicros(), databaseCpuMicros(postgres.directory)] as const;
  try {
    let before = used();
    const url = `http://127.0.0.1:${server.port}`;
    const calls = await call({ ...caller, url }, 'exact', () => {
      before = used();
    });
    const after = used();
    return {
      ...calls,
      cpu: (after[0] - before[0]) / calls.verdicts,
      databaseCpu: (after[1] - before[1]) / calls.verdicts,
    };
  } finally {
    await server.stop();
  }
}

/** Runs a service in a process of its own. @param onWarm called when counting begins */
async function call(
  { url, credential, file, seconds }: Caller,
  mode: 'exact' | 'kept' | 'busy',
  onWarm: () => void = () => undefined,
): Promise<Calls> {
  const [program, args] = pinned(CORES.rest, [process.execPath, SERVERS.guardCaller]);
  const child = spawn(program, args, {
    env: {
      ...process.env,
      URL: url,
      CREDENTIAL: credential,
      FILE: file,
      SECONDS: String(seconds),
      MODE: mode,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) {
    if (line !== 'warm') return JSON.parse(line) as Calls;
    onWarm();
  }
  throw new Error('the caller ended without a result');
}

/** A service credential of the tenant. */
async function seedService(target: Target, { keyring, format }: Bench): Promise<string> {
  const secret = format.mint('svc');
  const client = new pg.Client(target);
  await client.connect();
  await client.query(
    `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id, digest,
       digest_key_id, masked_key, subjects, issue_seq, created_by)
     SELECT $1, id, 'service', 'live', 'Caller', '{introspect}', 'service', $1, $2, $3, 'bwp_svc_…', ARRAY[$1, id],
       nextval('issue_order'), 'bench'
     FROM tenants`,
    [createId('key'), keyring.digest(secret).digest, keyring.currentId],
  );
  await client.end();
  return secret;
}
