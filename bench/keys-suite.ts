import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { createDatabase, urlOf } from './database.js';
import { compare, printHeading, printTarget, type Contestant } from './measure.js';
import { ME } from './oauth-fixture.js';
import { seedKeys } from './seed.js';
import { FLOOR, SERVERS, type Bench } from './suite.js';

const FEW = 1000;

/** Counted like any other limit. */
export const NEVER_REACHED = {
  RATE_LIMIT_TENANT_PER_HOUR: '999999999',
  RATE_LIMIT_KEY_PER_MINUTE: '999999999',
};

/** Measures the verification of keys, with many of them and with few. */
export async function measureKeys(bench: Bench, manyKeys: number): Promise<void> {
  const many = await measureWith(bench, manyKeys, true);
  const few = await measureWith(bench, FEW, false);
  printTarget('Many keys against few', many / few, 0.9);
  printTarget('Verification against the floor', many, 0.6);
}

async function measureWith(bench: Bench, count: number, withSingle: boolean): Promise<number> {
  const target = await createDatabase(bench.postgres, `keys_${count}`);
  const file = path.join(bench.folder, `keys-${count}.txt`);
  writeFileSync(file, (await seedKeys(target, { ...bench, count })).join('\n'));
  const common = {
    env: { ...bench.env, DATABASE_URL: urlOf(target) },
    requests: { template: ME, file, isOneShot: false },
    expected: '{"data":{',
  };
  const contestants: Contestant[] = [
    { ...common, name: FLOOR, script: SERVERS.floor },
    { ...common, name: 'Gatehouse', script: SERVERS.gatehouse },
    {
      ...common,
      name: 'Gatehouse, counting',
      script: SERVERS.gatehouse,
      env: {
        ...common.env,
        ...NEVER_REACHED,
      },
    },
    ...(withSingle
      ? [{ ...common, name: 'one query a request', script: SERVERS.singleQuery }]
      : []),
  ];
  printHeading(`GET /api/v1/me, ${count.toLocaleString('en')} keys`);
  return (await compare(contestants, bench.pace)).ratio('Gatehouse', FLOOR);
}
