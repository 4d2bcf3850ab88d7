import { connect } from 'node:net';

import { StartupError } from '../../db/startup-error.js';

/** Maps hosts that stand for every address of the machine to a loopback address. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Checks that no program listens at a port, without listening there.
 *
 * @throws StartupError if the port is in use
 */
export async function assertPortIsFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const isTaken = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: LOOPBACK[host] ?? host, port });
    const settle = (answer: boolean) => {
      resolve(answer);
      socket.destroy();
    };
    // A connection from an ephemeral port to the same port reaches itself.
    socket.once('connect', () => settle(socket.localPort !== port));
    socket.once('error', () => settle(false));
    socket.setTimeout(1000, () => settle(false));
  });
  if (isTaken) throw new StartupError(`Cannot listen on ${host}:${port}: the port is in use.`);
}
