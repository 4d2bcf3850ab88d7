import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { findAccount } from '../../../src/db/embedded/account.js';

const PACKAGES = '/usr/lib/postgresql';

/** PostgreSQL with its tools, as the system's packages install it, and a folder to run it in. */
export interface SystemPostgres {
  readonly folder: string;
  /** The log's archive, which every cluster made here writes to. */
  readonly archive: string;
  /** Makes and starts a cluster with a database `gatehouse`, in a folder of this name. */
  start(name: string, port: number): Promise<void>;
  /** Runs lines for a shell as the account of PostgreSQL; what is started listens at `PGPORT`. */
  run(lines: string, env: Readonly<Record<string, string>>): Promise<string>;
  /** URL of the database, for the role that owns it, or for a superuser. */
  url(port: number, as?: 'gatehouse' | 'postgres'): string;
  /** Stops every cluster and removes the folder. */
  remove(): Promise<void>;
}

export async function createSystemPostgres(): Promise<SystemPostgres> {
  const bin = await findBinaries();
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-operations-'));
  const account = await findAccount(join(folder, 'none'));
  const archive = join(folder, 'archive');
  await mkdir(archive);
  if (account) for (const path of [folder, archive]) await chown(path, account.uid, account.gid);

  const run: SystemPostgres['run'] = async (lines, env) => {
    const child = spawn('/bin/sh', ['-ec', lines], {
      cwd: folder,
      env: { PATH: `${bin}:${process.env['PATH']}`, PGHOST: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'exit') as Promise<[number | null]>,
      text(child.stdout),
      text(child.stderr),
    ]);
    if (code !== 0) throw new Error(`${lines}\nended with ${code}: ${stdout}${stderr}`);
    return stdout;
  };
  const url: SystemPostgres['url'] = (port, as = 'gatehouse') =>
    `postgres://${as}@/${as}?host=${encodeURIComponent(folder)}&port=${port}`;

  return {
    folder,
    archive,
    run,
    url,
    async start(name, port) {
      const settings = [
        `listen_addresses = ''`,
        `unix_socket_directories = '${folder}'`,
        `archive_mode = on`,
        `archive_command = 'cp %p ${archive}/%f'`,
      ];
      const lines = [
        `initdb --pgdata=${name} --username=postgres --auth=trust --encoding=UTF8 --no-locale --no-sync >log`,
        ...settings.map((setting) => `echo "${setting}" >>${name}/postgresql.conf`),
        `pg_ctl start --wait --pgdata=${name} --log=${name}/log >log`,
        'createuser --username=postgres gatehouse',
        'createdb --username=postgres --owner=gatehouse gatehouse',
      ];
      await run(lines.join('\n'), { PGPORT: String(port) });
    },
    async remove() {
      for (const name of await readdir(folder)) {
        await run(`pg_ctl stop --mode=immediate --pgdata=${name}`, {}).catch(() => undefined);
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @throws Error if no package of PostgreSQL's server is installed */
async function findBinaries(): Promise<string> {
  const majors = (await readdir(PACKAGES)).map(Number).sort((one, other) => other - one);
  const [major] = majors;
  if (major === undefined) throw new Error(`there is no PostgreSQL in ${PACKAGES}`);
  return join(PACKAGES, String(major), 'bin');
}
