import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

import { createId } from '../src/db/id.js';
import { createDatabase, type Target, urlOf } from './database.js';
import { NEVER_REACHED } from './configurations.js';
import {
  compare,
  type Contestant,
  median,
  printBound,
  printHeading,
  printTarget,
  requestsIn,
} from './measure.js';
import { ME } from './oauth-fixture.js';
import { databaseCpuMicros, startServer } from './processes.js';
import { seedKeys } from './seed.js';
import { type Bench, SERVERS } from './suite.js';

const KEYS = 1000;
const FIRST_ID = 10_000_000;
/** More than this machine does in a second. */
const UPSERTS_PER_SECOND = 4000;
const WIDE = path.resolve('test/support/catalogue/wide.json');
const BUILT_IN = 'the built-in catalogue';
const MANY = 'a catalogue of 505 scopes';

/** Resources that are mirrored by their external ids, with the body of a request. */
const MIRRORED = {
  accounts: '{"email":"{}@acme.example"}',
  tenants: '{"name":"{}"}',
} as const;
type Mirrored = keyof typeof MIRRORED;

/** The operator's API, and large catalogues. */
export async function measureOperator(bench: Bench, only: string): Promise<void> {
  if ('me'.startsWith(only)) await measureCatalogue(bench);
  for (const resource of Object.keys(MIRRORED) as Mirrored[]) {
    if (resource.startsWith(only)) await measureUpserts(bench, resource);
  }
}

/** The same keys, of three scopes that both catalogues have: only the number of other scopes differs. */
async function measureCatalogue(bench: Bench): Promise<void> {
  const target = await createDatabase(bench.postgres, 'catalogue');
  const file = path.join(bench.folder, 'catalogue-keys.txt');
  writeFileSync(file, (await seedKeys(target, { ...bench, count: KEYS })).join('\n'));
  const env = { ...bench.env, DATABASE_URL: urlOf(target), ...NEVER_REACHED };
  const contestant = (name: string, more: Record<string, string>): Contestant => ({
    name,
    script: SERVERS.gatehouse,
    env: { ...env, ...more },
    requests: { template: ME, file, isOneShot: false },
    expected: '"keyId":',
  });
  const wide = { CATALOG_FILE: WIDE };
  printHeading('GET /api/v1/me, by the size of the catalogue');
  const result = await compare([contestant(BUILT_IN, {}), contestant(MANY, wide)], bench.pace);
  printTarget('Requests, of those with the built-in one', result.ratio(MANY, BUILT_IN), 0.95);
  const starts: number[][] = [[], []];
  for (let round = 0; round < Math.max(5, bench.pace.rounds); round += 1) {
    for (const [index, more] of [{}, wide].entries()) {
      const server = await startServer(SERVERS.gatehouse, { ...env, ...more });
      // Wall time has the pauses of the probe in it.
      starts[index]?.push(server.cpuMicros() / 1000);
      await server.stop();
    }
  }
  const [builtIn = 0, many = 0] = starts.map(median);
  console.log(
    `\nProcessor time of a start: ${builtIn.toFixed(0)} ms, with ${MANY} ${many.toFixed(0)} ms`,
  );
  printTarget('Start, as a share of that', builtIn / many, 0.95);
}

async function measureUpserts(bench: Bench, resource: Mirrored): Promise<void> {
  const target = await createDatabase(bench.postgres, `operator_${resource}`);
  const secret = await seedOperatorKey(target, bench, resource);
  const path_ = `/api/v1/operator/${resource}/by-external-id`;
  const contestant = (name: string, more: Pick<Contestant, 'prepare'> & Lines): Contestant => ({
    name,
    script: SERVERS.gatehouse,
    env: { ...bench.env, DATABASE_URL: urlOf(target) },
    requests: {
      template: {
        method: 'PUT',
        path: `${path_}/{}`,
        headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
        body: MIRRORED[resource],
      },
      file: more.file,
      isOneShot: more.isOneShot,
    },
    expected: '"externalId":',
    databaseCpu: () => databaseCpuMicros(bench.postgres.directory),
    ...(more.prepare && { prepare: more.prepare }),
  });
  const fileOf = (name: string) => path.join(bench.folder, `${resource}-${name}.txt`);
  const [created, unchanged] = [fileOf('created'), fileOf('unchanged')];
  const count = requestsIn(bench.pace, UPSERTS_PER_SECOND);
  let first = FIRST_ID;
  const contestants = [
    contestant('PUT, creates', {
      file: created,
      isOneShot: true,
      // Each run starts with the first line: it needs ids of its own.
      prepare() {
        writeIds(created, { from: 'a', first, count });
        first += count;
        return Promise.resolve();
      },
    }),
    contestant('PUT, changes nothing', { file: unchanged, isOneShot: false }),
  ];
  writeIds(unchanged, { from: 'b', first: FIRST_ID, count: KEYS });
  printHeading(`PUT ${path_}`);
  const result = await compare(contestants, bench.pace);
  // 1,000 a second on one core.
  for (const { name } of contestants) printBound(`Server, ${name}`, result.micros(name)[0], 1000);
}

type Lines = Pick<Contestant['requests'], 'file' | 'isOneShot'>;

/** Writes lines of two fields, which are the same id, for the path and for the body. */
function writeIds(
  file: string,
  { from, first, count }: { from: string; first: number; count: number },
): void {
  const ids = Array.from({ length: count }, (_, index) => `${from}${first + index}`);
  writeFileSync(file, ids.map((id) => `${id}\t${id}`).join('\n'));
}

async function seedOperatorKey(
  target: Target,
  { keyring, format }: Bench,
  resource: Mirrored,
): Promise<string> {
  const client = new pg.Client(target);
  await client.connect();
  const [id, secret] = [createId('opk'), format.mint('op')];
  const { digest, keyId } = keyring.digest(secret);
  await client.query(
    `INSERT INTO operator_keys (id, name, scopes, digest, digest_key_id, masked, subjects, issue_seq)
     VALUES ($1, 'Bench', $4, $2, $3, '', ARRAY[$1], nextval('issue_order'))`,
    [id, digest, keyId, [`${resource}:manage`]],
  );
  await client.end();
  return secret;
}
