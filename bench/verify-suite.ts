import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

import { createId } from '../src/db/id.js';
import { OAUTH_PATHS } from '../src/oauth/paths.js';
import { createDatabase, urlOf, type Target } from './database.js';
import { BEHIND_PROXY, forwarded, NEVER_REACHED } from './configurations.js';
import type { RequestTemplate, Requests } from './load.js';
import { compare, printHeading, printTarget, type Contestant } from './measure.js';
import { ME } from './oauth-fixture.js';
import { seedKeys } from './seed.js';
import { FLOOR, SERVERS, type Bench } from './suite.js';

const KEYS = 1000;
/** Credentials of one call of `/verify`. */
const BATCH = 100;
const CALLS = 200;

interface Endpoint {
  readonly title: string;
  readonly template: RequestTemplate;
  readonly file: string;
  /** The request to the floor. */
  readonly floor: RequestTemplate;
  readonly floorFile: string;
  /** Set for a service that collects the questions of a turn in one call. */
  readonly connections?: number;
  readonly expected: string;
  /** Verdicts in one answer. */
  readonly verdicts: number;
  /** The floor's processor time as a share of a verdict's. */
  readonly target: number;
}

/**
 * The cost of a verdict that other services and gateways ask for, against an empty handler.
 *
 * @param only prefix of the names of the endpoints to measure
 */
export async function measureVerify(bench: Bench, only: string): Promise<void> {
  const target = await createDatabase(bench.postgres, 'verify');
  const keys = await seedKeys(target, { ...bench, count: KEYS });
  const service = await seedService(target, bench);
  const write = (name: string, lines: readonly string[]) => {
    const file = path.join(bench.folder, name);
    writeFileSync(file, lines.join('\n'));
    return file;
  };
  const single = write('verify-keys.txt', keys);
  const calls = write(
    'verify-calls.txt',
    Array.from({ length: CALLS }, (_, call) => JSON.stringify(credentialsOf(keys, call))),
  );
  const endpoints = endpointsFor(service, single, calls);
  for (const endpoint of endpoints.filter(({ title }) => title.startsWith(only))) {
    await measureEndpoint(bench, target, endpoint);
  }
}

function credentialsOf(keys: readonly string[], call: number): readonly object[] {
  return Array.from({ length: BATCH }, (_, index) => ({
    credential: keys[(call * BATCH + index) % keys.length],
  }));
}

function endpointsFor(service: string, single: string, calls: string): readonly Endpoint[] {
  const authorization = { Authorization: `Bearer ${service}` };
  const introspect: RequestTemplate = {
    method: 'POST',
    path: OAUTH_PATHS.introspect,
    headers: { ...authorization, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'token={}',
  };
  return [
    {
      title: 'forward-auth',
      template: { ...ME, path: '/api/v1/forward-auth/contacts' },
      file: single,
      floor: ME,
      floorFile: single,
      expected: '',
      verdicts: 1,
      target: 0.6,
    },
    {
      title: 'introspect',
      template: introspect,
      file: single,
      floor: introspect,
      floorFile: single,
      expected: '"active":true',
      verdicts: 1,
      target: 0.4,
    },
    {
      title: `verify, ${BATCH} credentials in a call`,
      template: {
        method: 'POST',
        path: '/api/v1/verify',
        headers: { ...authorization, 'Content-Type': 'application/json' },
        body: '{"credentials":{}}',
      },
      file: calls,
      floor: ME,
      floorFile: single,
      expected: '"active":true',
      connections: 4,
      verdicts: BATCH,
      target: 2,
    },
  ];
}

async function measureEndpoint(bench: Bench, target: Target, endpoint: Endpoint): Promise<void> {
  const { title, template, floor, expected, verdicts, connections } = endpoint;
  const requestsOf = (asked: RequestTemplate): Requests => ({
    template: asked,
    file: endpoint.file,
    isOneShot: false,
    ...(connections !== undefined && { connections }),
  });
  const env = { ...bench.env, DATABASE_URL: urlOf(target) };
  const contestant = (name: string, more: Record<string, string>, asked: RequestTemplate) =>
    ({
      name,
      script: SERVERS.gatehouse,
      env: { ...env, ...more },
      requests: requestsOf(asked),
      expected,
    }) satisfies Contestant;
  const floorOf = (name: string, asked: RequestTemplate): Contestant => ({
    ...contestant(name, {}, asked),
    requests: { template: asked, file: endpoint.floorFile, isOneShot: false },
    script: SERVERS.floor,
    expected: '',
  });
  const pairs = [
    [floorOf(FLOOR, floor), contestant('as installed', NEVER_REACHED, template)],
    [
      floorOf(`${FLOOR}, forwarded`, forwarded(floor)),
      contestant('behind a proxy', BEHIND_PROXY, forwarded(template)),
    ],
  ] as const;
  printHeading(`${title}: ${template.method} ${template.path}`);
  const comparison = await compare(pairs.flat(), bench.pace);
  for (const [base, { name }] of pairs) {
    const ratio = comparison.cpuRatio(name, base.name) * verdicts;
    printTarget(`${name}, a verdict against the floor`, ratio, endpoint.target);
  }
}

/** A service credential that may introspect, in the tenant of the keys. */
async function seedService(target: Target, { keyring, format }: Bench): Promise<string> {
  const secret = format.mint('svc');
  const { digest, keyId } = keyring.digest(secret);
  const client = new pg.Client(target);
  await client.connect();
  await client.query(
    `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id, digest,
       digest_key_id, masked_key, subjects, issue_seq, created_by)
     SELECT $1, id, 'service', 'live', 'Verifier', '{introspect}', 'service', $1, $2, $3, 'x', ARRAY[$1, id],
       nextval('issue_order'), 'bench' FROM tenants`,
    [createId('key'), digest, keyId],
  );
  await client.end();
  return secret;
}
