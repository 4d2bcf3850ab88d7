import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo, type ListenOptions } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolderAmongStrangers, makePrivateFolder, type Cluster } from './cluster.js';

/** The address that a PostgreSQL listens on. A host that starts with a slash is the folder of a socket, as in `pg`. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Names the socket; nothing listens on this TCP port. */
const SOCKET_PORT = 5432;

/** The least that a system allows for the path of a socket, with some to spare (104 bytes on macOS, 108 on Linux). */
const MAX_SOCKET_PATH = 100;

/** The path of the socket in a folder. */
export function socketPath({ host, port }: Endpoint): string {
  return join(host, `.s.PGSQL.${port}`);
}

/** Whether an endpoint is a socket in a folder. */
export function isSocket({ host }: Endpoint): boolean {
  return host.startsWith('/');
}

/**
 * Chooses the endpoint of a cluster: a socket in a folder that only its account can enter. The folder is in the
 * cluster's home or, if that path is too long, in the system's temporary folder. Loopback is used only where no
 * socket is possible.
 */
export async function chooseEndpoint({ home, id, account }: Cluster): Promise<Endpoint> {
  const inHome = { host: join(home, 'socket'), port: SOCKET_PORT };
  if (fits(inHome)) {
    const isMade = await makePrivateFolder(inHome.host, account).then(
      () => true,
      () => false,
    );
    if (isMade && (await hasSockets(inHome.host))) return inHome;
  }
  const inTemporary = { host: join(tmpdir(), `gatehouse-${id}`), port: SOCKET_PORT };
  // Root would have to change the owner of the folder, which others could replace meanwhile.
  if (account === undefined && fits(inTemporary)) {
    const isOurs = await makeFolderAmongStrangers(inTemporary.host).catch(() => false);
    if (isOurs && (await hasSockets(inTemporary.host))) return inTemporary;
  }
  return { host: '127.0.0.1', port: await tryToListen({ host: '127.0.0.1', port: 0 }) };
}

function fits(endpoint: Endpoint): boolean {
  return Buffer.byteLength(socketPath(endpoint)) <= MAX_SOCKET_PATH;
}

/** Some file systems (shared folders of virtual machines) have none. */
async function hasSockets(folder: string): Promise<boolean> {
  const path = join(folder, `probe-${randomBytes(3).toString('hex')}`);
  return tryToListen({ path }).then(
    () => true,
    () => false,
  );
}

async function tryToListen(options: ListenOptions): Promise<number> {
  const server = createServer().listen(options);
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}
