import { createServer } from 'node:http';
import { Registry } from 'prom-client';

import { createApp } from '../src/app.js';
import { LOOKUP_QUERIES } from '../src/server/lookup-queries.js';
import { readConfig } from '../src/config.js';
import { createKeyring } from '../src/credentials/secrets/keyring.js';
import type { LookupRow, ProbedLookup } from '../src/credentials/verification/lookup.js';
import { createVerifierPool } from '../src/credentials/verification/pool.js';
import { createDataSource } from '../src/db/data-source.js';
import { ENTITIES } from '../src/server/entities.js';
import { listen } from '../src/http/connections/server.js';
import { createSigningKeys } from '../src/signing-keys/signing-keys.js';
import { createLog } from '../src/server/log.js';

/** The same application with one query a request instead of batches: what the batches are worth. */
const config = readConfig(process.env, process.cwd());
const target = { connectionString: config.DATABASE_URL ?? '' };
const dataSource = await createDataSource(target, ENTITIES, console.error).initialize();
const pool = createVerifierPool(target, console.error);
pool.options.max = 10;

const lookup: ProbedLookup<keyof typeof LOOKUP_QUERIES> = {
  async find(name, digests) {
    const text = LOOKUP_QUERIES[name]('$1');
    const values = [`{${digests.join(',')}}`];
    const query = { name, text, values, rowMode: 'array' as const };
    return (await pool.query<[...LookupRow]>(query)).rows[0];
  },
  findAll: (questions) =>
    Promise.all(questions.map(({ query, digests }) => lookup.find(query, digests))),
  probe: async () => void (await pool.query('SELECT')),
};
const keyring = createKeyring(config.SECRET_KEYS ?? []);
const signingKeys = createSigningKeys({ dataSource, keyring });
await signingKeys.refresh();
const { koa } = createApp({
  config,
  dataSource,
  lookup,
  keyring,
  signingKeys,
  log: createLog({ level: config.LOG_LEVEL, brand: config.TOKEN_BRAND }),
  register: new Registry(),
  isStopping: () => false,
});
const server = await listen(createServer(koa.callback()), config.HOST, config.PORT);
process.on('SIGTERM', () => {
  server.close();
  process.exit();
});
