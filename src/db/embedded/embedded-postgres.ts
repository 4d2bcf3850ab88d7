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
import { holdCluster, releaseCluster, watchCluster, type Log, type Mode } from './hold.js';
import { completeRecord, homeOf, readOrCreateRecord, type ClusterRecord } from './record.js';
import { APPLICATION_NAME, setUpDatabase } from './session.js';
import { prepareSystemFolder } from './system-folder.js';

/** A PostgreSQL of our own, running. */
export interface EmbeddedPostgres {
  /** What `pg` needs to connect as the application. The host may be the folder of a socket. */
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  /** Ends this process's use; PostgreSQL is stopped unless another process uses it. May be called again. */
  stop(): Promise<void>;
}

/**
 * Gets the PostgreSQL of a data directory running: makes it on the first start, adopts one that a killed server left
 * behind. The application's role is not a superuser and owns its one database.
 *
 * `serve` is exclusive for the life of the process, and starts PostgreSQL again should it die. `borrow` is for the command
 * line: it works beside a server. `stop()` must be called, else the connection that holds the cluster keeps the process up.
 *
 * @throws StartupError for whatever the operator must settle: the directory is unusable, of another version, in use by
 * another server, or no PostgreSQL can run here
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
  const hold = await holdCluster(options);
  try {
    if (!record.complete) {
      await setUpDatabase(hold.client, record.password);
      await completeRecord(folder, record);
    }
  } catch (error) {
    await releaseCluster(cluster, hold);
    throw error;
  }
  log.info({ adopted: !hold.started }, 'embedded PostgreSQL is running');

  const unwatch = mode === 'serve' ? watchCluster(options, hold) : () => Promise.resolve(hold);
  let stopped: Promise<void> | undefined;
  return {
    connection: {
      ...hold.endpoint,
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
  // Never start afresh where there was something: an unmounted or deleted folder would look like lost data.
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
