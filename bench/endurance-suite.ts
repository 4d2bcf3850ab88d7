import { setTimeout } from 'node:timers/promises';
import pg from 'pg';

import { createDatabase, urlOf, type Target } from './database.js';
import * as fixture from './oauth-fixture.js';
import { printHeading } from './measure.js';
import { sendMixedLoad, type Counts, type Credentials } from './mixed-load.js';
import { NEVER_REACHED } from './configurations.js';
import { startServer } from './processes.js';
import { seedKeys } from './seed.js';
import { seedParties, seedTokens } from './seed-oauth.js';
import { SERVERS, type Bench } from './suite.js';

const GRANTS = 5000;
const MINUTE = 60_000;
const EVERY_MS = 10_000;
/** Time without a request after the load: two rounds of the cleanup. */
const QUIET_MS = 2 * MINUTE;
const METRICS_PORT = '9465';

/** Figures of PostgreSQL on the rows of a table: present, dead, inserted, updated, updated without index entries. */
const COUNTED = ['live', 'dead', 'inserted', 'updated', 'hot'] as const;

interface Table {
  readonly megabytes: number;
  readonly counts: readonly string[];
}

/** One look at the server and its database. */
interface Sample {
  /** Resident memory in megabytes. */
  readonly memory: number;
  /** Megabytes of the JavaScript heap in use, of the heap's pages, and of buffers outside of it. */
  readonly parts: readonly [used: number, pages: number, external: number];
  readonly tables: ReadonlyMap<string, Table>;
}

/** Whether a server under a mixed load keeps its memory, and which tables grow. */
export async function measureEndurance(
  bench: Bench,
  { keys, minutes }: { keys: number; minutes: number },
): Promise<void> {
  const target = await createDatabase(bench.postgres, 'endurance');
  const credentials = await seed(target, bench, keys);
  const server = await startServer(SERVERS.gatehouse, {
    ...bench.env,
    ...NEVER_REACHED,
    DATABASE_URL: urlOf(target),
    ISSUER: fixture.ISSUER,
    METRICS_PORT,
  });
  const client = new pg.Client(target);
  await client.connect();
  try {
    printHeading(`${minutes} minutes of mixed load, ${keys.toLocaleString('en')} keys`);
    const samples: Sample[] = [];
    const look = async (into: Sample[]) => into.push(await sample(client, server.memory()));
    const lookDuring = async <T>(into: Sample[], run: Promise<T>): Promise<T> => {
      await look(into);
      const timer = setInterval(() => void look(into), EVERY_MS);
      const result = await run.finally(() => clearInterval(timer));
      await look(into);
      return result;
    };
    const length = minutes * MINUTE;
    const counts = await lookDuring(samples, sendMixedLoad(server.port, credentials, length));
    const quiet: Sample[] = [];
    await lookDuring(quiet, setTimeout(QUIET_MS));
    print({ samples, quiet }, counts);
  } finally {
    await client.end();
    await server.stop();
  }
}

async function seed(target: Target, bench: Bench, count: number): Promise<Credentials> {
  const sampled = await seedKeys(target, { ...bench, count });
  const [manager = '', ...keys] = sampled;
  const client = new pg.Client(target);
  await client.connect();
  await client.query(
    `UPDATE credentials SET scopes = '{contacts:read,contacts:write,api_keys:manage}' WHERE digest = $1`,
    [bench.keyring.digest(manager).digest],
  );
  await client.query(`
    INSERT INTO spaces (id, tenant_id, name, is_default)
    SELECT 'spc_' || id, id, 'Default', true FROM tenants`);
  await client.end();
  const parties = await seedParties(target, bench.keyring);
  const tokens = { ...bench, kind: 'refresh', count: GRANTS } as const;
  return { keys, manager, refreshTokens: await seedTokens(target, parties, tokens) };
}

/** Partitions count for the table that they belong to. */
const SIZES = `
  SELECT coalesce(parent.relname, c.relname) AS name,
    sum(pg_total_relation_size(c.oid)) / 1048576.0 AS megabytes,
    ARRAY[sum(s.n_live_tup), sum(s.n_dead_tup), sum(s.n_tup_ins), sum(s.n_tup_upd), sum(s.n_tup_hot_upd)]::text[]
      AS counts
  FROM pg_class c
    LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    LEFT JOIN pg_class parent ON parent.oid = i.inhparent
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  GROUP BY 1`;

async function sample(client: pg.Client, memory: number): Promise<Sample> {
  const { rows } = await client.query<{ name: string; megabytes: string; counts: string[] }>(SIZES);
  const tables = rows.map(
    ({ name, megabytes, counts }) => [name, { megabytes: Number(megabytes), counts }] as const,
  );
  return { memory, parts: await heapParts(), tables: new Map(tables) };
}

async function heapParts(): Promise<Sample['parts']> {
  const answer = await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`);
  const text = await answer.text();
  const read = (name: string) =>
    Number(new RegExp(`^nodejs_${name}_bytes (\\S+)$`, 'm').exec(text)?.[1] ?? 0) / 1048576;
  return [read('heap_size_used'), read('heap_size_total'), read('external_memory')];
}

/** The load with the time after it. */
interface Seen {
  readonly samples: readonly Sample[];
  readonly quiet: readonly Sample[];
}

function print(seen: Seen, counts: Counts): void {
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  console.log(`  ${total.toLocaleString('en')} requests:`);
  for (const [kind, count] of [...counts].toSorted()) {
    console.log(`    ${kind.padEnd(56)} ${String(count).padStart(9)}`);
  }
  printMemory(seen);
  printTables(seen);
}

function printMemory({ samples, quiet }: Seen): void {
  const row = (of: readonly Sample[], pick: (sample: Sample) => number) =>
    of.map((one) => pick(one).toFixed(0)).join(' ');
  for (const [phase, of] of [
    ['under load', samples],
    ['without requests', quiet],
  ] as const) {
    console.log(`  memory in MB ${phase}, every 10 s: ${row(of, ({ memory }) => memory)}`);
    console.log(`    heap in use: ${row(of, ({ parts }) => parts[0])}`);
    console.log(`    pages of the heap: ${row(of, ({ parts }) => parts[1])}`);
    console.log(`    outside the heap: ${row(of, ({ parts }) => parts[2])}`);
  }
  const most = Math.max(...samples.map(({ memory }) => memory));
  const lasting = quiet.at(-1);
  console.log(
    `  resident memory at most: ${most.toFixed(0)} MB (target: at most 160) ${most <= 160 ? 'met' : 'MISSED'}`,
  );
  // Garbage that is not collected yet grows with the load; facts that are kept remain after it.
  console.log(
    `  in the end: ${lasting?.memory.toFixed(0)} MB, ${lasting?.parts[0].toFixed(0)} of them heap in use`,
  );
}

/** A table that reached its bound grows less in the second half. */
function printTables({ samples, quiet }: Seen): void {
  const [first, middle] = [samples[0], samples[Math.floor(samples.length / 2)]];
  const last = quiet.at(-1);
  const sizeOf = (name: string, of?: Sample) => of?.tables.get(name)?.megabytes ?? 0;
  const print = (name: string, figures: readonly (string | number)[]) =>
    console.log(name.padEnd(40), ...figures.map((figure) => String(figure).padStart(10)));
  print('  tables that grew, in MB', ['at first', 'at half', 'at end', ...COUNTED]);
  for (const [name, { megabytes, counts }] of last?.tables ?? []) {
    const before = sizeOf(name, first);
    if (megabytes - before < 0.5) continue;
    const sizes = [before, sizeOf(name, middle), megabytes].map((figure) => figure.toFixed(1));
    print(`    ${name}`, [...sizes, ...counts]);
  }
}
