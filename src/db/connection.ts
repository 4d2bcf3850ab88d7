import { Socket } from 'node:net';
import pg from 'pg';

import { createHosts, nameOf, type Hosts } from './hosts.js';
import { prepareSession, type Session, type SessionKind } from './session.js';
import { parseDatabaseUrl, type DatabaseAddress } from './url.js';

/** The address of the database: a `postgres://` URL, or its parts. A host that starts with `/` is a socket folder. */
export type DatabaseTarget =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    };

const PROBE_TIMEOUT_MS = 1000;

/** How sessions are prepared and checked. */
interface Sessions {
  readonly kind: SessionKind;
  /** Checks a prepared session. If it throws, the session is not used. */
  readonly judge?: (session: Session) => void;
}

/**
 * The options of every pool and client of this program. Each session is with the primary, and is prepared before
 * its first query.
 *
 * @throws DatabaseUrlError if the URL cannot be used
 */
export function connectionOptions(target: DatabaseTarget, sessions: Sessions): pg.PoolConfig {
  const { config, hosts } = resolve(target);
  return { ...config, keepAlive: true, Client: createClientClass(hosts, sessions) };
}

/** The options of clients to the current primary, without any preparation of sessions. */
export async function plainOptions(target: DatabaseTarget): Promise<pg.ClientConfig> {
  const { config, hosts } = resolve(target);
  return { ...config, ...(await hosts.choose()) };
}

/** Formats host, port and database, without user and password. */
export function describeTarget(target: DatabaseTarget): string {
  const { config, address } = resolve(target);
  const database = new pg.Client(config).database ?? '';
  const { host, port } = new pg.Client(config);
  const names = address.hosts.map((one) =>
    nameOf({ host: one.host ?? host, port: one.port ?? port }),
  );
  return `${names.join(',')}/${database}`;
}

interface Resolved {
  readonly address: DatabaseAddress;
  /** The driver's options, with the first host. */
  readonly config: pg.ClientConfig;
  readonly hosts: Hosts;
}

function resolve(target: DatabaseTarget): Resolved {
  const address = addressOf(target);
  const [first = { host: undefined, port: undefined }, ...others] = address.hosts;
  const { user, password, database, ssl, options, applicationName } = address;
  const config: pg.ClientConfig = {
    ...first,
    user,
    password,
    database,
    options,
    ...(ssl !== undefined && { ssl }),
    ...(address.sslnegotiation !== undefined && { sslnegotiation: address.sslnegotiation }),
    ...(address.channelBinding && { enableChannelBinding: true }),
    ...(applicationName !== undefined && { application_name: applicationName }),
  };
  const hosts = createHosts([first, ...others], (host) => probe({ ...config, ...host }));
  return { address, config, hosts };
}

function addressOf(target: DatabaseTarget): DatabaseAddress {
  if ('connectionString' in target) return parseDatabaseUrl(target.connectionString);
  const { host, port, user, password, database } = target;
  return {
    hosts: [{ host, port }],
    user,
    password,
    database,
    ssl: undefined,
    sslnegotiation: undefined,
    channelBinding: false,
    options: undefined,
    applicationName: undefined,
  };
}

async function probe(config: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: PROBE_TIMEOUT_MS });
  tolerateBreaking(client);
  const timer = setTimeout(() => void client.end(), PROBE_TIMEOUT_MS);
  try {
    await client.connect();
    await prepareSession(client, 'startup');
  } finally {
    clearTimeout(timer);
    await client.end();
  }
}

/** A client that finds the primary and prepares its session while it connects. */
function createClientClass(hosts: Hosts, { kind, judge }: Sessions): new () => pg.Client {
  return class DatabaseClient extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(config);
      tolerateBreaking(this);
    }

    override connect(): Promise<pg.Client>;
    override connect(callback: (error: Error | null, client?: pg.Client) => void): void;
    override connect(callback?: (error: Error | null, client?: pg.Client) => void) {
      const opened = this.#open();
      if (callback === undefined) return opened;
      opened.then(() => callback(null, this), callback);
    }

    async #open(): Promise<pg.Client> {
      const host = await hosts.choose();
      if (host.host !== undefined) this.host = host.host;
      if (host.port !== undefined) this.port = host.port;
      try {
        const session = await this.#prepare().catch((error: unknown) => {
          hosts.forget(host);
          throw error;
        });
        judge?.(session);
        return this;
      } catch (error) {
        void this.end().catch(() => undefined);
        throw error;
      }
    }

    async #prepare(): Promise<Session> {
      await super.connect();
      return prepareSession(this, kind);
    }
  };
}

/**
 * Adds a listener for errors, since an `error` event without one ends the process. The pool has none for a turn of
 * the event loop while it hands a connection out. It drops a broken connection by itself.
 */
function tolerateBreaking(client: pg.ClientBase): void {
  client.on('error', () => undefined);
}

/**
 * A socket that breaks after a time without traffic. A database that hangs does not close its connections. Breaking
 * the connection ends its transaction.
 */
export function createImpatientSocket(patienceMs: number): Socket {
  const socket = new Socket();
  return socket.setTimeout(patienceMs, () => {
    const error = new Error('the database does not answer');
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  });
}
