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

/** One look at the server and its database. */
interface Sample {
  /** Resident memory in megabytes. */
  readonly memory: number;
  readonly tables: ReadonlyMap<string, { readonly megabytes: number; readonly dead: number }>;
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
  });
  const client = new pg.Client(target);
  await client.connect();
  try {
    printHeading(`${minutes} minutes of mixed load, ${keys.toLocaleString('en')} keys`);
    const samples: Sample[] = [];
    const look = async () => samples.push(await sample(client, server.memory()));
    await look();
    const timer = setInterval(() => void look(), EVERY_MS);
    const counts = await sendMixedLoad(server.port, credentials, minutes * MINUTE);
    clearInterval(timer);
    await look();
    print(samples, counts);
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
    sum(coalesce(s.n_dead_tup, 0)) AS dead
  FROM pg_class c
    LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    LEFT JOIN pg_class parent ON parent.oid = i.inhparent
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  GROUP BY 1`;

async function sample(client: pg.Client, memory: number): Promise<Sample> {
  const { rows } = await client.query<{ name: string; megabytes: string; dead: string }>(SIZES);
  const tables = rows.map(
    ({ name, megabytes, dead }) =>
      [name, { megabytes: Number(megabytes), dead: Number(dead) }] as const,
  );
  return { memory, tables: new Map(tables) };
}

function print(samples: readonly Sample[], counts: Counts): void {
  const total = [...counts.values()].reduce((a, b) => a + b, 0);
  console.log(`  ${total.toLocaleString('en')} requests:`);
  for (const [kind, count] of [...counts].toSorted()) {
    console.log(`    ${kind.padEnd(36)} ${String(count).padStart(9)}`);
  }
  console.log(
    `  memory in MB, every 10 s: ${samples.map(({ memory }) => memory.toFixed(0)).join(' ')}`,
  );
  // The first third warms up.
  const third = Math.ceil(samples.length / 3);
  const most = (of: readonly Sample[]) => Math.max(...of.map(({ memory }) => memory));
  console.log(`  resident memory at most: ${most(samples).toFixed(0)} MB (target: at most 160)`);
  const growth = most(samples.slice(-third)) / most(samples.slice(third, -third));
  console.log(`  last third against the one before: ${growth.toFixed(2)}`);
  // A table that reached its bound grows less in the second half.
  const [first, middle, last] = [
    samples[0],
    samples[Math.floor(samples.length / 2)],
    samples.at(-1),
  ];
  const sizeOf = (name: string, of?: Sample) => of?.tables.get(name)?.megabytes ?? 0;
  console.log(
    '  tables that grew, in MB:'.padEnd(40),
    '  at first   at half    at last  dead rows',
  );
  for (const [name, { megabytes, dead }] of last?.tables ?? []) {
    const before = sizeOf(name, first);
    if (megabytes - before < 0.5) continue;
    const figures = [before, sizeOf(name, middle), megabytes].map((figure) => figure.toFixed(1));
    console.log(
      `    ${name}`.padEnd(40),
      ...[...figures, dead].map((text) => String(text).padStart(10)),
    );
  }
}
