import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { BEHIND_PROXY, forwarded, NEVER_REACHED } from './configurations.js';
import { createDatabase, urlOf } from './database.js';
import { compare, printHeading, printTarget, type Contestant } from './measure.js';
import { ME } from './oauth-fixture.js';
import { seedKeys } from './seed.js';
import { FLOOR, SERVERS, type Bench } from './suite.js';

const FEW = 1000;
const FORWARDED = `${FLOOR}, forwarded`;

/** Measures the verification of keys, with many of them and with few. */
export async function measureKeys(bench: Bench, manyKeys: number): Promise<void> {
  const many = await measureWith(bench, manyKeys, true);
  const few = await measureWith(bench, FEW, false);
  printTarget('Many keys against few', many / few, 0.9);
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
  const behindProxy = { requests: { ...common.requests, template: forwarded(ME) } };
  const contestants: Contestant[] = [
    { ...common, name: FLOOR, script: SERVERS.floor },
    { ...common, name: 'Gatehouse', script: SERVERS.gatehouse },
    {
      ...common,
      name: 'Gatehouse, counting',
      script: SERVERS.gatehouse,
      env: { ...common.env, ...NEVER_REACHED },
    },
    { ...common, ...behindProxy, name: FORWARDED, script: SERVERS.floor },
    {
      ...common,
      ...behindProxy,
      name: 'Gatehouse, behind a proxy',
      script: SERVERS.gatehouse,
      env: { ...common.env, ...BEHIND_PROXY },
    },
    ...(withSingle
      ? [{ ...common, name: 'one query a request', script: SERVERS.singleQuery }]
      : []),
  ];
  printHeading(`GET /api/v1/me, ${count.toLocaleString('en')} keys`);
  const comparison = await compare(contestants, bench.pace);
  const cpu = (name: string, base = FLOOR) => comparison.cpuRatio(name, base);
  printTarget('without limits, processor time', cpu('Gatehouse'), 0.65);
  printTarget('counting, processor time', cpu('Gatehouse, counting'), 0.55);
  const asRun = cpu('Gatehouse, behind a proxy', FORWARDED);
  printTarget('behind a proxy, processor time', asRun, 0.55);
  return comparison.ratio('Gatehouse', FLOOR);
}
