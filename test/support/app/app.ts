import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type pg from 'pg';
import type pino from 'pino';
import { Registry } from 'prom-client';
import request from 'supertest';
import type TestAgent from 'supertest/lib/agent.js';
import type { DataSource } from 'typeorm';

import { createKeyService } from '../../../src/api-keys/key-service.js';
import { newKey } from '../../../src/api-keys/key-schema.js';
import { createApp, type App } from '../../../src/app.js';
import { LOOKUP_QUERIES } from '../../../src/server/lookup-queries.js';
import { OPERATOR } from '../../../src/audit/audit-log.js';
import { readConfig, type Config } from '../../../src/config.js';
import { createKeyring, type Keyring } from '../../../src/credentials/secrets/keyring.js';
import { createBatchedLookup } from '../../../src/credentials/verification/lookup.js';
import { createSecretFormat, type SecretFormat } from '../../../src/credentials/secrets/format.js';
import { createVerifierPool } from '../../../src/credentials/verification/pool.js';
import { createDataSource } from '../../../src/db/data-source.js';
import { ENTITIES } from '../../../src/server/entities.js';
import { createLog } from '../../../src/server/log.js';
import { KEY_SCOPES } from '../../../src/scopes/catalog.js';
import {
  createSigningKeyStore,
  generateSigningKey,
} from '../../../src/signing-keys/signing-key-store.js';
import { createSigningKeys, type SigningKeys } from '../../../src/signing-keys/signing-keys.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTenantStore } from '../../../src/tenants/tenant-store.js';
import { createTestDatabase, testServer, type TestDatabase } from '../database/database.js';
import { observeAnswers } from './declared-answers.js';
import { NO_LIMITS } from './no-limits.js';

/** The whole application over a database of its own, inside the test's process. */
export interface TestApp {
  readonly app: App;
  readonly config: Config;
  readonly database: TestDatabase;
  readonly dataSource: DataSource;
  readonly verifierPool: pg.Pool;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly register: Registry;
  readonly signingKeys: SigningKeys;
  /** Every line that was logged so far. */
  readonly logged: string[];
  /** Where it listens, such as `http://127.0.0.1:12345`. */
  readonly origin: string;
  /** Sends requests without a credential, unless they set one. */
  readonly http: TestAgent;
  createTenant(slug: string): Promise<Tenant>;
  /** A key as the operator would make it; without `scopes` it holds all. */
  createKey(tenant: Tenant, fields?: Readonly<Record<string, unknown>>): Promise<TestKey>;
  close(): Promise<void>;
}

export interface TestKey {
  readonly id: string;
  readonly secret: string;
  /** To be set on a request: `{ Authorization: 'Bearer …' }`. */
  readonly bearer: { readonly Authorization: string };
}

export const TEST_SECRET_KEY = 'a secret key that is only used by tests';

/** For `ISSUER`: the address that the application will listen at, so that its own URLs lead to it. */
export const ITSELF = 'itself';

/**
 * @param env configuration beyond the defaults, as environment variables; `ISSUER` may be `ITSELF`
 * @param clock what budgets slide by
 */
export async function createTestApp(
  env: Record<string, string> = {},
  clock?: () => number,
): Promise<TestApp> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = readConfig(
    {
      SECRET_KEYS: TEST_SECRET_KEY,
      LOG_LEVEL: 'debug',
      ...NO_LIMITS,
      ...env,
      ...(env['ISSUER'] === ITSELF && { ISSUER: origin }),
    },
    '/',
  );
  const database = await createTestDatabase();
  const dataSource = createDataSource(database.target, ENTITIES, () => undefined);
  await dataSource.initialize();
  const verifierPool = createVerifierPool(database.target, () => undefined);
  const keyring = createKeyring(config.SECRET_KEYS ?? []);
  const format = createSecretFormat({ brand: config.TOKEN_BRAND });
  const register = new Registry();
  const logged: string[] = [];
  const log = createLog({
    level: config.LOG_LEVEL,
    brand: config.TOKEN_BRAND,
    destination: { write: (line) => void logged.push(line) } satisfies pino.DestinationStream,
  });
  const lookup = createBatchedLookup({
    pool: verifierPool,
    queries: LOOKUP_QUERIES,
    register,
  });
  const isStopping = () => false;
  await dataSource.transaction((manager) =>
    createSigningKeyStore(manager, keyring, async (algorithm) =>
      algorithm === 'RS256' ? testServer().rsaKey : generateSigningKey(algorithm),
    ).ensure(),
  );
  const signingKeys = createSigningKeys({ dataSource, keyring });
  await signingKeys.refresh();
  const app = createApp({
    config,
    dataSource,
    lookup,
    keyring,
    signingKeys,
    log,
    register,
    isStopping,
    ...(clock && { clock }),
  });
  app.koa.middleware.unshift(observeAnswers);
  server.on('request', app.koa.callback());

  return {
    app,
    config,
    database,
    dataSource,
    verifierPool,
    keyring,
    format,
    register,
    signingKeys,
    logged,
    origin,
    http: request.agent(server),
    createTenant: (slug) =>
      dataSource.transaction(async (manager) => {
        const tenant = await createTenantStore(manager).create({
          slug,
          name: slug,
        });
        if (tenant === undefined) throw new Error(`the slug ${slug} is taken`);
        return tenant;
      }),
    createKey: (tenant, fields = {}) =>
      dataSource.transaction(async (manager) => {
        const keys = createKeyService({
          manager,
          keyring,
          format,
          defaultRateLimit: config.RATE_LIMIT_KEY_PER_MINUTE,
        });
        const by = {
          actor: OPERATOR,
          tenantId: tenant.id,
        };
        const parsed = newKey.parse({
          name: 'A key',
          scopes: KEY_SCOPES,
          ...fields,
        });
        const { key, secret } = await keys.create(by, parsed);
        return {
          id: key.id,
          secret,
          bearer: { Authorization: `Bearer ${secret}` },
        };
      }),
    async close() {
      await new Promise((resolve) => server.close(resolve));
      await app.activity.flush();
      await verifierPool.end();
      await dataSource.destroy();
      await database.drop();
    },
  };
}
