import { Client, DatabaseError } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../startup-error.js';
import { SUPERUSER, type Cluster } from './cluster.js';
import type { Endpoint } from './endpoint.js';

/**
 * Advisory locks in the database `postgres`, held on one connection while a process uses the cluster. They end with
 * the process.
 */
const LOCKS = {
  /** Held by the server. */
  server: 1,
  /** Shared: held by every process that uses the cluster. Exclusive: held to stop it. */
  user: 2,
  /** Held to create the role and the database. */
  setUp: 3,
};

/** Time for the connection of a server that has just died to disappear. */
const SERVER_LOCK_TIMEOUT_MS = 1_000;

/** The role and the database of the application have the same name. */
export const APPLICATION_NAME = 'gatehouse';

/**
 * Connects as superuser.
 *
 * @returns `undefined` if PostgreSQL is starting, stopping or gone; the caller retries
 * @throws StartupError if another cluster answers
 */
export async function connectAsSuperuser(
  cluster: Cluster,
  endpoint: Endpoint,
): Promise<Client | undefined> {
  const client = new Client({
    ...endpoint,
    user: SUPERUSER,
    password: cluster.superuserPassword,
    database: 'postgres',
    application_name: 'gatehouse-lock',
    connectionTimeoutMillis: 5_000,
  });
  // Without a listener 'error' would end the process. A lost connection is noticed by 'end'.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
    if (rows[0]?.data_directory === cluster.data) return client;
  } catch (error) {
    await close(client);
    // Class 28: the password or the account was refused. Any other error is temporary.
    if (!(error instanceof DatabaseError && error.code?.startsWith('28'))) return undefined;
  }
  await close(client);
  throw new StartupError(
    `The PostgreSQL that listens in ${endpoint.host} is not the one of ${cluster.home}: stop it first.`,
  );
}

/**
 * Becomes a user of the cluster, and as `serve` its only server.
 *
 * @returns false if there is another server
 * @throws the connection's error if the cluster is being stopped
 */
export async function enter(client: Client, mode: 'serve' | 'share'): Promise<boolean> {
  const deadline = Date.now() + SERVER_LOCK_TIMEOUT_MS;
  while (mode === 'serve' && !(await tryLock(client, LOCKS.server))) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  await client.query('SELECT pg_advisory_lock_shared($1)', [LOCKS.user]);
  return true;
}

/**
 * Stops using the cluster.
 *
 * @returns true if there is no other user; nobody can become one until the connection ends
 */
export async function leave(client: Client): Promise<boolean> {
  // Unlocked first: if two processes left at once, neither could raise its lock from shared to exclusive.
  await client.query('SELECT pg_advisory_unlock_all()');
  return tryLock(client, LOCKS.user);
}

/** Creates the application's role and database, unless they exist. */
export async function setUpDatabase(client: Client, password: string): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [LOCKS.setUp]);
  const name = client.escapeIdentifier(APPLICATION_NAME);
  if (!(await exists(client, 'SELECT FROM pg_roles WHERE rolname = $1'))) {
    await client.query(`CREATE ROLE ${name} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
  }
  if (!(await exists(client, 'SELECT FROM pg_database WHERE datname = $1'))) {
    await client.query(`CREATE DATABASE ${name} OWNER ${name}`);
  }
  await client.query('SELECT pg_advisory_unlock($1)', [LOCKS.setUp]);
}

/** Ends a connection in any state. Never throws. */
export async function close(client: Client): Promise<void> {
  await client.end().catch(() => undefined);
}

async function tryLock(client: Client, lock: number): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'SELECT pg_try_advisory_lock($1) AS locked',
    [lock],
  );
  return rows[0]?.locked === true;
}

async function exists(client: Client, query: string): Promise<boolean> {
  const { rowCount } = await client.query(query, [APPLICATION_NAME]);
  return rowCount !== 0;
}
