import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';

import { createVerifierPool } from '../../src/credentials/verification/pool.js';
import { findAccount } from '../../src/db/embedded/account.js';
import { createAuthority } from '../support/browser/certificates.js';
import { createOwnDatabase } from '../support/database/postgres-processes.js';
import { findFreePort } from '../support/process/free-port.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';
import { codeOf } from '../support/app/until.js';

describe('a database with a certificate of a private authority', () => {
  let postgres: TemporaryPostgres;
  let folder: string;
  let root: string;
  let other: string;
  let user: string;
  let port: number;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-tls-'));
    const account = await findAccount(join(folder, 'data'));
    const authority = createAuthority();
    const server = authority.issue('localhost');
    const write = async (name: string, text: string) => {
      await writeFile(join(folder, name), text, { mode: 0o600 });
      if (account) await chown(join(folder, name), account.uid, account.gid);
      return join(folder, name);
    };
    root = await write('root.pem', authority.certificate);
    other = await write('other.pem', createAuthority().certificate);
    port = await findFreePort();
    if (account) await chown(folder, account.uid, account.gid);
    postgres = await startTemporaryPostgres({
      ssl: 'on',
      ssl_cert_file: await write('server.pem', server.certificate),
      ssl_key_file: await write('server.key', server.key),
      listen_addresses: '127.0.0.1',
      port: String(port),
    });
    const { username, password } = new URL(
      (await createOwnDatabase(postgres)).replace('@/', '@localhost/'),
    );
    user = `${username}:${password}`;
  }, 30_000);
  afterAll(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Whether a session of the verifier is encrypted, or why there is none. */
  async function connect(host: string, parameters: string): Promise<string> {
    const connectionString = `postgres://${user}@${host}:${port}/gatehouse${parameters}`;
    let pool: pg.Pool | undefined;
    try {
      pool = createVerifierPool({ connectionString }, () => undefined);
      const { rows } = await pool.query<{ ssl: boolean }>(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return rows[0]?.ssl ? 'encrypted' : 'open';
    } catch (error) {
      return codeOf(error) ?? 'an error without a code';
    } finally {
      await pool?.end();
    }
  }

  const unknownAuthority = expect.stringMatching(/UNABLE_TO_|SELF_SIGNED|CERT_SIGNATURE/);

  it.each([
    ['', 'open'],
    ['?sslmode=disable', 'open'],
    ['?sslmode=require', 'encrypted'],
    ['?sslmode=prefer', 'encrypted'],
    ['?sslmode=no-verify', 'encrypted'],
    ['?sslmode=verify-full', unknownAuthority],
    ['?ssl=true', unknownAuthority],
    ['?sslmode=verify-full&sslrootcert=ROOT', 'encrypted'],
    ['?sslmode=verify-ca&sslrootcert=ROOT', 'encrypted'],
    ['?sslmode=require&sslrootcert=ROOT', 'encrypted'],
    ['?sslmode=verify-full&sslrootcert=OTHER', unknownAuthority],
    ['?sslmode=verify-ca&sslrootcert=OTHER', unknownAuthority],
    ['?sslmode=require&sslrootcert=OTHER', unknownAuthority],
    ['?sslmode=require&sslrootcert=system', unknownAuthority],
  ])('is reached by its name with %p: %s', async (parameters, result) => {
    const text = parameters.replace('ROOT', root).replace('OTHER', other);
    expect(await connect('localhost', text)).toEqual(result);
  });

  it.each([
    ['?sslmode=require', 'encrypted'],
    ['?sslmode=require&sslrootcert=ROOT', 'encrypted'],
    ['?sslmode=verify-ca&sslrootcert=ROOT', 'encrypted'],
    ['?sslmode=verify-full&sslrootcert=ROOT', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('is reached by another name with %p: %s', async (parameters, result) => {
    expect(await connect('127.0.0.1', parameters.replace('ROOT', root))).toBe(result);
  });
});
