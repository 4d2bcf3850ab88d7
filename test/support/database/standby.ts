import { chown, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

import { findAccount } from '../../../src/db/embedded/account.js';
import { findBinaries, reachableBinaries } from '../../../src/db/embedded/binaries.js';
import { dataFolderOf, prepareHome, type Cluster } from '../../../src/db/embedded/cluster.js';
import type { Endpoint } from '../../../src/db/embedded/endpoint.js';
import { ensureRunning, stopPostmaster } from '../../../src/db/embedded/postmaster.js';
import type { TemporaryPostgres } from './temporary-postgres.js';
import { until } from '../app/until.js';

/** A copy of a PostgreSQL that follows it. */
export interface Standby {
  readonly connection: TemporaryPostgres['connection'];
  /** Makes it the primary. */
  promote(): Promise<void>;
  /** Stops it; a synchronous primary waits for it from then on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

/** The name by which `synchronous_standby_names` knows it. */
export const STANDBY_NAME = 'standby';

/** Makes a standby of a running server, as `pg_basebackup` does: its files are copied within a backup. */
export async function startStandby({
  connection: primary,
  directory,
}: TemporaryPostgres): Promise<Standby> {
  const home = await mkdtemp(join(tmpdir(), 'gatehouse-standby-'));
  const data = dataFolderOf(home);
  const account = await findAccount(data);
  await prepareHome(home, account);
  await copyWithinBackup(primary, dataFolderOf(directory), data);
  const { host, port, user, password } = primary;
  await writeFile(join(data, 'standby.signal'), '');
  const cluster: Cluster = {
    id: STANDBY_NAME,
    home,
    data,
    account,
    superuserPassword: password,
    binaries: await reachableBinaries(await findBinaries(), account),
    settings: {
      fsync: 'off',
      full_page_writes: 'off',
      max_connections: '300',
      primary_conninfo: `host=${host} port=${port} user=${user} password=${password} application_name=${STANDBY_NAME}`,
    },
  };
  if (account) await own(home, data, account);
  let endpoint: Endpoint | undefined;
  const start = async () => {
    ({ endpoint } = await ensureRunning(cluster, { preferred: endpoint }));
    return endpoint;
  };
  const connection = { ...(await start()), user, password, database: primary.database };
  return {
    connection,
    async promote() {
      await ask(connection, 'SELECT pg_promote()');
      await until(
        async () => (await ask(connection, 'SELECT pg_is_in_recovery() AS it')) === false,
      );
    },
    pause: () => stopPostmaster(cluster, { mode: 'fast' }),
    resume: async () => void (await start()),
    async stop() {
      await stopPostmaster(cluster, { mode: 'immediate' });
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function copyWithinBackup(
  connection: pg.ClientConfig,
  from: string,
  to: string,
): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(`SELECT pg_backup_start('standby', true)`);
  // Files come and go while they are copied; what is missing is made again from the log of changes.
  await cp(from, to, {
    recursive: true,
    filter: (path) => !/postmaster\.(pid|opts)$|pgsql_tmp|pg_internal\.init/.test(path),
  });
  const { rows } = await client.query<{ labelfile: string }>('SELECT * FROM pg_backup_stop(false)');
  await client.end();
  await writeFile(join(to, 'backup_label'), rows[0]?.labelfile ?? '');
}

async function own(
  home: string,
  data: string,
  { uid, gid }: { uid: number; gid: number },
): Promise<void> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  await Promise.all(
    paths.filter((path) => path.startsWith(data)).map((path) => chown(path, uid, gid)),
  );
}

async function ask(connection: pg.ClientConfig, question: string): Promise<unknown> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    const { rows } = await client.query<{ it?: unknown }>(question);
    return rows[0]?.it;
  } finally {
    await client.end();
  }
}
