import type { IncomingMessage } from 'node:http';

import { isInNetworks } from './networks.js';

/**
 * Makes the function that tells from which address a request comes.
 *
 * `X-Forwarded-For` is believed only as far as it was written by trusted proxies: read from the
 * right, the first address that isn't one of theirs is the client's. What stands further left,
 * anyone can have made up. The text is returned as it is, so a forged or unreadable address
 * matches no allow-list.
 *
 * @param trustedProxies `TRUST_PROXY`: addresses and networks; empty believes nobody
 */
export function createClientAddress(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => string {
  return (request) => {
    const peer = request.socket.remoteAddress ?? '';
    if (trustedProxies.length === 0 || !isInNetworks(peer, trustedProxies)) return plain(peer);
    const hops = (request.headersDistinct['x-forwarded-for'] ?? [])
      .flatMap((line) => line.split(','))
      .map((hop) => hop.trim());
    return plain(hops.findLast((hop) => !isInNetworks(hop, trustedProxies)) ?? hops[0] ?? peer);
  };
}

/** IPv4 addresses arrive mapped into IPv6 on a dual-stack socket; people know them as IPv4. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
