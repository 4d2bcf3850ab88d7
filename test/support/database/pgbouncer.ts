import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

import { findAccount } from '../../../src/db/embedded/account.js';
import type { TemporaryPostgres } from './temporary-postgres.js';
import { findFreePort } from '../process/free-port.js';
import { until } from '../app/until.js';

/** A PgBouncer before a database. */
export interface PgBouncer {
  /** The database behind it, as a `DATABASE_URL`. */
  readonly url: string;
  stop(): Promise<void>;
}

const PLACES = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'];

/**
 * Starts the PgBouncer of this machine.
 *
 * @param url of a database in that PostgreSQL, whose host is a socket's folder
 * @throws Error if it is not installed
 */
export async function startPgBouncer(
  postgres: TemporaryPostgres,
  url: string,
  mode: 'session' | 'transaction' | 'statement',
): Promise<PgBouncer> {
  const program = PLACES.find((place) => existsSync(place));
  if (program === undefined) throw new Error('install PgBouncer: apt-get install pgbouncer');
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-pgbouncer-'));
  const account = await findAccount(join(directory, 'data'));
  const port = await findFreePort();
  const { host, port: serverPort } = postgres.connection;
  const { username, password, pathname } = new URL(url.replace('@/', '@localhost/'));
  const database = pathname.slice(1);
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
${database} = host=${host} port=${serverPort} dbname=${database} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 20
`,
  );
  await chmod(directory, 0o755);
  if (account) await chown(file, account.uid, account.gid);
  const child = spawn(program, ['-q', file], {
    ...(account && { uid: account.uid, gid: account.gid }),
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const own = `postgres://${username}:${password}@127.0.0.1:${port}/${database}`;
  await until(async () => {
    const client = new pg.Client(own);
    await client.connect();
    await client.end();
    return true;
  });
  return {
    url: own,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
