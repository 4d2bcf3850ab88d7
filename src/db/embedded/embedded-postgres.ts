import { StartupError } from '../startup-error.js';
import { findAccount, isRoot } from './account.js';
import { findBinaries, reachableBinaries, type Binaries } from './binaries.js';
import {
  dataFolderOf,
  initializeCluster,
  prepareHome,
  readMajor,
  type Cluster,
} from './cluster.js';
import { prepareDataDir } from './data-dir.js';
import { errorMessage } from '../errors.js';
import { leaseCluster, releaseCluster, watchCluster, type Log, type Mode } from './lease.js';
import { completeRecord, homeOf, readOrCreateRecord, type ClusterRecord } from './record.js';
import { APPLICATION_NAME, setUpDatabase } from './superuser-session.js';
import { prepareSystemFolder } from './system-folder.js';

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres {
  /** Options of `pg` to connect as the application. The host may be the folder of a socket. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  /** Ends this process's lease. PostgreSQL is stopped unless another process uses it. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the PostgreSQL of a data directory. It is created on the first start. One that a killed server left
 * running is adopted. The application's role is not a superuser and owns its one database.
 *
 * `serve` is exclusive for the life of the process, and starts PostgreSQL again if it dies. `share` is for the
 * command line and works beside a server. Call `stop()`: the connection of the lease keeps the process alive.
 *
 * @throws StartupError if the directory is unusable, of another version or in use by another server, or if
 *   PostgreSQL cannot run on this machine
 */
export async function startEmbeddedPostgres({
  dataDir,
  mode,
  log,
}: {
  dataDir: string;
  mode: Mode;
  log: Log;
}): Promise<EmbeddedPostgres> {
  const folder = await prepareDataDir(dataDir);
  const { cluster, record } = await prepareCluster(dataDir, folder);
  const options = { cluster, mode, dataDir, log };
  const lease = await leaseCluster(options);
  try {
    if (!record.complete) {
      await setUpDatabase(lease.client, record.password);
      await completeRecord(folder, record);
    }
  } catch (error) {
    await releaseCluster(cluster, lease);
    throw error;
  }
  log.info({ adopted: !lease.started }, 'embedded PostgreSQL is running');

  const unwatch = mode === 'serve' ? watchCluster(options, lease) : () => Promise.resolve(lease);
  let stopped: Promise<void> | undefined;
  return {
    connection: {
      ...lease.endpoint,
      user: APPLICATION_NAME,
      password: record.password,
      database: APPLICATION_NAME,
    },
    stop: () => (stopped ??= unwatch().then((last) => releaseCluster(cluster, last))),
  };
}

async function prepareCluster(
  dataDir: string,
  folder: string,
): Promise<{ cluster: Cluster; record: ClusterRecord }> {
  const binaries = await findBinaries();
  await assertUsable({ dataDir, folder, binaries });
  const record = await readOrCreateRecord(folder);
  const home = homeOf(folder, record);
  const data = dataFolderOf(home);
  await assertVersion({ dataDir, data, binaries, complete: record.complete });
  try {
    if (isRoot()) await prepareSystemFolder();
    const account = await findAccount(data);
    const cluster: Cluster = {
      id: record.id,
      home,
      data,
      account,
      settings: {},
      superuserPassword: record.superuserPassword,
      binaries: await reachableBinaries(binaries, account),
    };
    await prepareHome(home, account);
    await initializeCluster(cluster, { durable: true });
    return { cluster, record };
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const reason = errorMessage(error);
    throw new StartupError(`The database of ${dataDir} cannot be prepared: ${reason}.`, {
      cause: error,
    });
  }
}

/** @throws StartupError when DATA_DIR is itself the folder of somebody's PostgreSQL. */
async function assertUsable({
  dataDir,
  folder,
  binaries,
}: {
  dataDir: string;
  folder: string;
  binaries: Binaries;
}): Promise<void> {
  const major = await readMajor(folder);
  if (major === undefined) return;
  if (major !== binaries.major) throw otherVersion({ dataDir, major, binaries });
  throw new StartupError(
    `The data directory ${dataDir} is a PostgreSQL cluster that is not Gatehouse's: give DATA_DIR a new or empty folder.`,
  );
}

async function assertVersion({
  dataDir,
  data,
  binaries,
  complete,
}: {
  dataDir: string;
  data: string;
  binaries: Binaries;
  complete: boolean;
}): Promise<void> {
  const major = await readMajor(data);
  if (major !== undefined && major !== binaries.major) {
    throw otherVersion({ dataDir, major, binaries });
  }
  // Never create a new cluster in place of a complete one: its folder may just be unmounted.
  if (major === undefined && complete) {
    throw new StartupError(
      `The database cluster of ${dataDir} is missing from ${data}: restore it, or delete ${dataDir} to start afresh.`,
    );
  }
}

function otherVersion({
  dataDir,
  major,
  binaries,
}: {
  dataDir: string;
  major: string;
  binaries: Binaries;
}): StartupError {
  return new StartupError(
    `The data directory ${dataDir} was made by PostgreSQL ${major}, but this Gatehouse comes with PostgreSQL ${binaries.major}: ` +
      `use the release of Gatehouse that made it, or move its data over with a dump.`,
  );
}
