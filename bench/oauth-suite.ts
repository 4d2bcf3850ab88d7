import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { NEVER_REACHED } from './configurations.js';
import { createDatabase, urlOf, type Target } from './database.js';
import { bindKeys } from './bound-keys.js';
import type { RequestTemplate } from './load.js';
import { compare, printHeading, printTarget, requestsIn, type Contestant } from './measure.js';
import * as fixture from './oauth-fixture.js';
import { seedKeys } from './seed.js';
import { seedParties, seedTokens, type Parties } from './seed-oauth.js';
import { FLOOR, SERVERS, type Bench } from './suite.js';

/** Requests a second that tokens which are good once are provided for. */
const RATES = { bare: 12_000, gatehouse: 6000, proofs: 5000 };
/** Number of credentials that can be used more than once. */
const REUSED = 20_000;

interface Endpoint {
  readonly title: string;
  readonly template: RequestTemplate;
  readonly kind: fixture.TokenKind;
  readonly isOneShot: boolean;
  readonly expected: string;
  /** Target of Gatehouse, as a share of the bare provider. */
  readonly target?: number;
}

const ONCE = { isOneShot: true, expected: '' };
const ENDPOINTS: readonly Endpoint[] = [
  { ...ONCE, title: 'exchange of a code', template: fixture.EXCHANGE, kind: 'code' },
  { ...ONCE, title: 'refresh', template: fixture.REFRESH, kind: 'refresh', target: 0.5 },
  {
    ...ONCE,
    title: 'refresh with an id_token',
    template: fixture.REFRESH,
    kind: 'refresh-openid',
  },
  {
    title: 'introspect',
    template: fixture.INTROSPECT,
    kind: 'access',
    target: 2,
    isOneShot: false,
    expected: '"active":true',
  },
  {
    title: 'userinfo',
    template: fixture.USERINFO,
    kind: 'access-openid',
    isOneShot: false,
    expected: '"email":',
  },
];

const BARE = 'bare oidc-provider in memory';
const GATEHOUSE = 'Gatehouse';

interface Oauth extends Bench {
  readonly database: Target;
  readonly parties: Parties;
  /** Credential for the floor, which does not read it. */
  readonly anyLine: string;
}

/**
 * Measures OAuth's endpoints against the library alone and against an empty handler.
 *
 * @param only prefix of the names of the endpoints to measure
 */
export async function measureOauth(bench: Bench, only: string): Promise<void> {
  const database = await createDatabase(bench.postgres, 'oauth');
  const parties = await seedParties(database, bench.keyring);
  const anyLine = path.join(bench.folder, 'any.txt');
  writeFileSync(anyLine, bench.format.mint('at'));
  const oauth: Oauth = { ...bench, database, parties, anyLine };
  for (const endpoint of ENDPOINTS.filter(({ title }) => title.startsWith(only))) {
    const { title, template, target } = endpoint;
    printHeading(`${title}: ${template.method} ${template.path}`);
    const comparison = await compare(
      [floor(oauth, template), bare(oauth, endpoint), gatehouse(oauth, endpoint)],
      bench.pace,
    );
    const ratio = comparison.ratio(GATEHOUSE, BARE);
    if (target === undefined) console.log(`  against the bare provider: ${ratio.toFixed(3)}`);
    else printTarget('against the bare provider', ratio, target);
  }
  if ('me'.startsWith(only)) await measureMe(oauth);
  await measureKeyTokens(oauth, only);
}

/** `/me` takes tokens and keys alike, at the same price. */
async function measureMe(oauth: Oauth): Promise<void> {
  const asked: Endpoint = {
    title: 'me',
    template: fixture.ME,
    kind: 'access-openid',
    isOneShot: false,
    expected: '{"data":{',
  };
  const withToken = { ...gatehouse(oauth, asked), name: 'with a token' };
  const keys = path.join(oauth.folder, 'keys.txt');
  writeFileSync(keys, (await seedKeys(oauth.database, { ...oauth, count: REUSED })).join('\n'));
  const { prepare: _prepare, ...unprepared } = withToken;
  const withKey: Contestant = {
    ...unprepared,
    name: 'with a key',
    requests: { template: fixture.ME, file: keys, isOneShot: false },
  };
  const userinfo = bare(oauth, {
    ...asked,
    template: fixture.USERINFO,
    expected: '"email":',
  });
  printHeading('GET /api/v1/me');
  const comparison = await compare(
    [floor(oauth, fixture.ME), userinfo, withKey, withToken],
    oauth.pace,
  );
  printTarget('a token against a key', comparison.ratio(withToken.name, withKey.name), 0.9);
  const ratio = comparison.ratio(withToken.name, userinfo.name);
  console.log(`  a token against the bare provider's userinfo: ${ratio.toFixed(3)}`);
}

/** Tokens for keys, and keys that are bound to a key of their holder, each against the floor. */
async function measureKeyTokens(oauth: Oauth, only: string): Promise<void> {
  const database = await createDatabase(oauth.postgres, 'key_tokens');
  const keys = await seedKeys(database, { ...oauth, count: REUSED });
  const file = path.join(oauth.folder, 'key-tokens.txt');
  const common = {
    name: GATEHOUSE,
    script: SERVERS.gatehouse,
    env: {
      ...oauth.env,
      ...NEVER_REACHED,
      DATABASE_URL: urlOf(database),
      ISSUER: fixture.ISSUER,
    },
  };
  if ('token exchange'.startsWith(only)) {
    writeFileSync(file, keys.join('\n'));
    printHeading(`token exchange: POST ${fixture.EXCHANGE_KEY.path}`);
    const requests = { template: fixture.EXCHANGE_KEY, file, isOneShot: false };
    await compare(
      [floor(oauth, fixture.EXCHANGE_KEY), { ...common, requests, expected: '"access_token":' }],
      oauth.pace,
    );
  }
  if ('me with a proof'.startsWith(only)) {
    const prover = await bindKeys(database);
    printHeading(`with a proof: GET ${fixture.ME.path}`);
    const requests = { template: fixture.ME_WITH_PROOF, file, isOneShot: true };
    const count = requestsIn(oauth.pace, RATES.proofs);
    const prepare = async () => writeFileSync(file, (await prover(keys, count)).join('\n'));
    await compare(
      [floor(oauth, fixture.ME), { ...common, requests, prepare, expected: '' }],
      oauth.pace,
    );
  }
}

function floor({ anyLine: file }: Oauth, template: RequestTemplate): Contestant {
  const requests = { template, file, isOneShot: false };
  return { name: FLOOR, script: SERVERS.floor, env: {}, requests, expected: '"ok":true' };
}

function bare({ folder, pace }: Oauth, endpoint: Endpoint): Contestant {
  const { template, kind, isOneShot, expected } = endpoint;
  const file = path.join(folder, 'bare.txt');
  const count = isOneShot ? requestsIn(pace, RATES.bare) : REUSED;
  return {
    name: BARE,
    script: SERVERS.bare,
    env: { BENCH_KIND: kind, BENCH_COUNT: String(count), BENCH_FILE: file },
    requests: { template, file, isOneShot },
    expected,
  };
}

function gatehouse(oauth: Oauth, endpoint: Endpoint): Contestant {
  const { template, kind, isOneShot, expected } = endpoint;
  const { database, parties, keyring, format, pace } = oauth;
  const file = path.join(oauth.folder, 'gatehouse.txt');
  const count = isOneShot ? requestsIn(pace, RATES.gatehouse) : REUSED;
  return {
    name: GATEHOUSE,
    script: SERVERS.gatehouse,
    env: { ...oauth.env, DATABASE_URL: urlOf(database), ISSUER: fixture.ISSUER },
    requests: { template, file, isOneShot },
    expected,
    async prepare() {
      const seeding = { keyring, format, kind, count };
      writeFileSync(file, (await seedTokens(database, parties, seeding)).join('\n'));
    },
  };
}
