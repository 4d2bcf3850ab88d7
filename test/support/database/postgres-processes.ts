import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';

import type { TemporaryPostgres } from './temporary-postgres.js';
import { codeOf, until } from '../app/until.js';

/** The processes of one PostgreSQL: its postmaster and everything that it forked. */
export interface PostgresProcesses {
  /** Ends them all at once, as a crash would, and waits until they are gone. */
  kill(): Promise<void>;
  /** Holds them all: the database is there and never answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

/** @param home the folder above PostgreSQL's own data folder */
export function postgresProcessesOf(home: string): PostgresProcesses {
  const signal = async (name: NodeJS.Signals) => {
    const pids = await findPids(home);
    for (const pid of pids) sendSignal(pid, name);
    return pids;
  };
  return {
    async kill() {
      const pids = await signal('SIGKILL');
      await until(async () => (await Promise.all(pids.map(hasEnded))).every(Boolean));
    },
    async freeze() {
      // The postmaster first: nothing is forked while the rest is being stopped.
      const [postmaster = 0] = await findPids(home);
      sendSignal(postmaster, 'SIGSTOP');
      await signal('SIGSTOP');
    },
    async thaw() {
      await signal('SIGCONT');
    },
  };
}

/**
 * Makes an empty database in a PostgreSQL of the test's own.
 *
 * @returns its `DATABASE_URL`
 */
export async function createOwnDatabase({ connection }: TemporaryPostgres): Promise<string> {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(`CREATE ROLE gatehouse LOGIN PASSWORD 'of-this-test-only'`);
  await client.query('CREATE DATABASE gatehouse OWNER gatehouse');
  await client.end();
  const { host, port } = connection;
  return `postgres://gatehouse:of-this-test-only@/gatehouse?host=${encodeURIComponent(host)}&port=${port}`;
}

/** The postmaster first. */
async function findPids(home: string): Promise<number[]> {
  const file = await readFile(join(home, 'data/postmaster.pid'), 'utf8');
  const postmaster = Number(file.split('\n')[0]);
  const command = await readFile(`/proc/${postmaster}/cmdline`, 'utf8');
  // A pid file can outlive its process; nobody else's process may be harmed.
  if (!command.includes(home)) throw new Error(`the PostgreSQL of ${home} does not run`);
  const children = await readFile(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
  return [postmaster, ...children.trim().split(' ').filter(Boolean).map(Number)];
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // Backends come and go.
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** Gone, or a zombie that nobody has looked after yet. */
async function hasEnded(pid: number): Promise<boolean> {
  if (!existsSync(`/proc/${pid}`)) return true;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return /\) Z/.test(stat);
}
