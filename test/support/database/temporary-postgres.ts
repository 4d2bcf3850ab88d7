import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findAccount } from '../../../src/db/embedded/account.js';
import { findBinaries, reachableBinaries } from '../../../src/db/embedded/binaries.js';
import {
  SUPERUSER,
  dataFolderOf,
  initializeCluster,
  prepareHome,
  type Cluster,
} from '../../../src/db/embedded/cluster.js';
import { ensureRunning, stopPostmaster } from '../../../src/db/embedded/postmaster.js';
import { RECORD_FILE } from '../../../src/db/embedded/record.js';

/** A throwaway PostgreSQL, for a run of the tests. */
export interface TemporaryPostgres {
  /** A superuser's. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  readonly directory: string;
  /** Stops it (`immediate`: as a crash would) and starts it again at the same address. */
  restart(mode: 'fast' | 'immediate'): Promise<void>;
  /** Stops it, as a crash would, until it is restarted. */
  halt(): Promise<void>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

const ROOM_FOR_A_RUN = 4 * 2 ** 30;

/** Memory where Linux has it mounted with room for a run, otherwise the temporary folder. */
async function fastFolder(): Promise<string> {
  const memory = '/dev/shm';
  const room = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  return room > ROOM_FOR_A_RUN ? memory : tmpdir();
}

/**
 * Makes and starts a PostgreSQL in a new temporary folder. It survives no power cut, so it is fast.
 *
 * @param settings PostgreSQL's, beyond the usual ones
 */
export async function startTemporaryPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<TemporaryPostgres> {
  const home = await mkdtemp(join(await fastFolder(), 'gatehouse-test-'));
  const data = dataFolderOf(home);
  const account = await findAccount(data);
  const cluster: Cluster = {
    id: randomBytes(8).toString('hex'),
    home,
    data,
    account,
    superuserPassword: randomBytes(24).toString('hex'),
    binaries: await reachableBinaries(await findBinaries(), account),
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '300', ...settings },
  };
  await prepareHome(home, account);
  await initializeCluster(cluster, { durable: false });
  const { endpoint } = await ensureRunning(cluster);
  return {
    connection: {
      ...endpoint,
      user: SUPERUSER,
      password: cluster.superuserPassword,
      database: 'postgres',
    },
    directory: home,
    restart: async (mode) => {
      await stopPostmaster(cluster, { mode });
      await ensureRunning(cluster, { preferred: endpoint });
    },
    halt: () => stopPostmaster(cluster, { mode: 'immediate' }),
    stop: async () => {
      await stopPostmaster(cluster, { mode: 'immediate' });
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Removes a data directory, and the cluster that root keeps outside of it. Nothing may be running on it. */
export async function removeDataDir(dataDir: string): Promise<void> {
  const record = await readFile(join(dataDir, RECORD_FILE), 'utf8').catch(() => '{}');
  const { home } = JSON.parse(record) as { home?: string };
  if (home?.startsWith('/')) await rm(home, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
}
