import { randomBytes } from 'node:crypto';
import { createServer, type AddressInfo, type ListenOptions } from 'node:net';
import { once } from 'node:events';
import { lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePrivateFolder, type Cluster } from './cluster.js';

/** Where a PostgreSQL listens. A host that starts with a slash is the folder of a socket, as `pg` understands it. */
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

/** Says whether an endpoint is a socket in a folder. */
export function isSocket({ host }: Endpoint): boolean {
  return host.startsWith('/');
}

/**
 * Chooses where a cluster is to listen: on a socket in a folder that only its account can enter, in the cluster's home or,
 * if that path is too long, in the system's temporary folder; on loopback only where no socket is possible.
 */
export async function chooseEndpoint({ home, id, account }: Cluster): Promise<Endpoint> {
  for (const host of [join(home, 'socket'), join(tmpdir(), `gatehouse-${id}`)]) {
    const endpoint = { host, port: SOCKET_PORT };
    if (Buffer.byteLength(socketPath(endpoint)) > MAX_SOCKET_PATH) continue;
    try {
      await makePrivateFolder(host, account);
      if ((await lstat(host)).isSymbolicLink()) continue;
      // Some file systems (shared folders of virtual machines) have no sockets.
      await tryToListen({ path: join(host, `probe-${randomBytes(3).toString('hex')}`) });
      return endpoint;
    } catch {
      continue;
    }
  }
  return { host: '127.0.0.1', port: await tryToListen({ host: '127.0.0.1', port: 0 }) };
}

async function tryToListen(options: ListenOptions): Promise<number> {
  const server = createServer().listen(options);
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}
