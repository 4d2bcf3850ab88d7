import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

import { hashPassword } from '../../../src/accounts/password.js';
import { createDataSource } from '../../../src/db/data-source.js';
import { migrate } from '../../../src/db/migrate.js';
import { maintainPartitions } from '../../../src/db/partitions.js';
import { ENTITIES } from '../../../src/server/entities.js';
import {
  generateSigningKey,
  type SigningKeyPair,
} from '../../../src/signing-keys/signing-key-store.js';
import { startTemporaryPostgres, type TemporaryPostgres } from '../database/temporary-postgres.js';
import { PASSWORD } from '../oauth/password.js';

/** Where tests find the database server; handed to the workers through the environment. */
export interface TestServer {
  readonly admin: pg.ClientConfig;
  /** The ordinary role that owns the test databases: nothing needs a superuser. */
  readonly owner: { readonly user: string; readonly password: string };
  /** The built program, for tests that need processes of their own. */
  readonly build: string;
  /** A folder that lasts as long as the run. */
  readonly scratch: string;
  /** Hash of the password of all test users: hashing takes longer than everything else about a user. */
  readonly passwordHash: string;
  /** Signs id_tokens in all of them: making an RSA key takes longer than making a database. */
  readonly rsaKey: SigningKeyPair;
}

/**
 * Starts a throwaway PostgreSQL with a migrated template.
 *
 * @param build the folder that the program was built into
 * @returns what stops it
 */
export async function setUp(build: string): Promise<() => Promise<void>> {
  const scratch = await mkdtemp(join(tmpdir(), 'gatehouse-test-run-'));
  const postgres = await startTemporaryPostgres();
  const tearDown = async () => {
    await postgres.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    await prepare(postgres, { build, scratch });
  } catch (error) {
    // Nobody else would ever stop it.
    await tearDown();
    throw error;
  }
  return tearDown;
}

const QUIET = { info: () => undefined, warn: console.warn };

async function prepare(
  postgres: TemporaryPostgres,
  folders: Pick<TestServer, 'build' | 'scratch'>,
): Promise<void> {
  const owner = { user: 'tester', password: randomBytes(12).toString('hex') };
  const client = new pg.Client(postgres.connection);
  await client.connect();
  await client.query(`CREATE ROLE ${owner.user} LOGIN PASSWORD '${owner.password}'`);
  await client.query(`CREATE DATABASE template_gatehouse OWNER ${owner.user}`);
  await client.end();

  const target = { ...postgres.connection, ...owner, database: 'template_gatehouse' };
  const dataSource = createDataSource(target, ENTITIES, console.error);
  await dataSource.initialize();
  await migrate(dataSource, { log: QUIET });
  await maintainPartitions(dataSource);
  await dataSource.destroy();

  const server: TestServer = {
    admin: postgres.connection,
    owner,
    ...folders,
    passwordHash: await hashPassword(PASSWORD),
    rsaKey: await generateSigningKey('RS256'),
  };
  process.env['GATEHOUSE_TEST_SERVER'] = JSON.stringify(server);
}
