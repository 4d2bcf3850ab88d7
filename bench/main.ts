import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { createKeyring } from '../src/credentials/secrets/keyring.js';
import { createSecretFormat } from '../src/credentials/secrets/format.js';
import { startTemporaryPostgres } from '../test/support/database/temporary-postgres.js';
import { pinDatabase } from './database.js';
import { measureEndurance } from './endurance-suite.js';
import { measureGuard } from './guard-suite.js';
import { measureKeys } from './keys-suite.js';
import { measureLists } from './lists-suite.js';
import { LOADER } from './load.js';
import { measureOperator } from './operator-suite.js';
import { measureOauth } from './oauth-suite.js';
import { measureStart } from './start-suite.js';
import { measureVerify } from './verify-suite.js';

const { values } = parseArgs({
  options: {
    suite: { type: 'string', default: 'all' },
    /** The endpoints of OAuth, of verification or of the operator whose name begins like this. */
    only: { type: 'string', default: '' },
    keys: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '5' },
    pairs: { type: 'string', default: '5' },
    /** Length of the mixed load. */
    minutes: { type: 'string', default: '5' },
  },
});
const isWanted = (suite: string) => ['all', suite].includes(values.suite);
const SUITES = ['start', 'keys', 'guard', 'lists', 'verify', 'oauth', 'operator', 'endurance'];
if (!['all', ...SUITES].includes(values.suite)) {
  throw new Error(`--suite is one of ${SUITES.join(', ')}, not ${values.suite}`);
}
const SECRET_KEY = 'a secret key that only the benchmark uses';

// A million keys and their index fit, as on a database server that is given its share of memory.
const postgres = await startTemporaryPostgres({ shared_buffers: '2GB', max_wal_size: '4GB' });
const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-bench-'));
try {
  pinDatabase(postgres.directory);
  console.log(
    `50 connections (${LOADER}). Rounds are interleaved; ratios are to the first of each list, and like all\n` +
      'figures medians over the rounds. busy: the share of its core that the server used.',
  );
  const bench = {
    postgres,
    folder,
    keyring: createKeyring([SECRET_KEY]),
    format: createSecretFormat({ brand: 'bwp' }),
    pace: { seconds: Number(values.seconds), rounds: Number(values.pairs) },
    env: { SECRET_KEYS: SECRET_KEY, LOG_LEVEL: 'info' },
  };
  if (isWanted('start')) await measureStart(bench);
  if (isWanted('keys')) await measureKeys(bench, Number(values.keys));
  if (isWanted('guard')) await measureGuard(bench);
  if (isWanted('lists')) await measureLists(bench);
  if (isWanted('verify')) await measureVerify(bench, values.only);
  if (isWanted('oauth')) await measureOauth(bench, values.only);
  if (isWanted('operator')) await measureOperator(bench, values.only);
  // Takes minutes, and compares nothing.
  if (values.suite === 'endurance') {
    await measureEndurance(bench, {
      keys: Number(values.keys),
      minutes: Number(values.minutes),
    });
  }
} finally {
  await postgres.stop();
  rmSync(folder, { recursive: true });
}
