import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

import { isPublicAddress, withoutTrailingDot } from '../http/public-host.js';
import type { OutboundFailure } from './answer.js';

/**
 * Resolves a name to its addresses.
 * @returns an empty list for an unknown name
 */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** An address that a connection may be made to. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** More addresses of a name are not tried. */
const MAX_ADDRESSES = 4;
const QUERY_TIMEOUT_MS = 1500;
/** Not resolved by DNS (RFC 6761 §6.3). */
const OWN_NAME = 'localhost';
const OWN_ADDRESSES = ['127.0.0.1', '::1'];
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1)$/;

/**
 * Resolves by DNS only, without the system's hosts file. Unlike `dns.lookup` it takes no thread of the pool in which
 * passwords are hashed.
 */
export const resolveByDns: Resolve = async (name, signal) => {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

/**
 * Finds the addresses that a connection to a host may be made to. One address that is not public refuses the host: the
 * name's owner chooses the order in which addresses are tried.
 *
 * @param host in canonical form, as `URL` returns it
 */
export async function findAddresses(
  host: string,
  options: {
    readonly resolve: Resolve;
    readonly signal: AbortSignal;
    readonly isAllowed: (address: string) => boolean;
  },
): Promise<readonly Address[] | OutboundFailure> {
  const { resolve, signal, isAllowed } = options;
  const known = knownAddresses(host);
  const found = known ?? (await resolve(withoutTrailingDot(host), signal));
  if (found.length === 0) return 'name';
  if (!found.every(isAllowed)) return 'address';
  return found.slice(0, MAX_ADDRESSES).map((address) => ({
    address,
    family: isIP(address) === 6 ? 6 : 4,
  }));
}

/** @returns `undefined` for a name that DNS resolves */
function knownAddresses(host: string): readonly string[] | undefined {
  const literal = host.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0) return [literal];
  return withoutTrailingDot(host) === OWN_NAME ? OWN_ADDRESSES : undefined;
}

/** Whether a connection may be made to an address. */
export function isReachable(address: string, isLoopbackAllowed: boolean): boolean {
  return isPublicAddress(address) || (isLoopbackAllowed && LOOPBACK.test(address));
}

/** Whether a host is this machine, in canonical form. */
export function isLoopbackHost(host: string): boolean {
  return host === OWN_NAME || LOOPBACK.test(host.replace(/^\[|\]$/g, ''));
}
