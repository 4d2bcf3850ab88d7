import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Suffixes of names that never resolve on the public Internet (RFC 6761, RFC 6762 appendix G, RFC 8375, RFC 9476; `corp`,
 * `home` and `mail` are never delegated).
 */
const PRIVATE_SUFFIXES: readonly string[] =
  `localhost local localdomain localnet internal intranet intra private priv lan home homelan
   home.arpa in-addr.arpa ip6.arpa corp mail workgroup router gateway station belkin dlink
   invalid alt`.split(/\s+/);

/** Azure's metadata address. It lies in a public range. */
const METADATA_ADDRESS = '168.63.129.16';

/** Whether the operator allows a private host, given in canonical form without a trailing dot. */
export type IsHostAllowed = (host: string) => boolean;

const NO_HOST: IsHostAllowed = () => false;

/**
 * Matches the hosts of a list: names, and suffixes that begin with a dot (`.lan` matches every name below `lan`).
 *
 * @param hosts in lower case
 */
export function createHostRule(hosts: readonly string[]): IsHostAllowed {
  return (host) =>
    hosts.some((entry) => (entry.startsWith('.') ? host.endsWith(entry) : host === entry));
}

/**
 * Whether a host may be on the public Internet: a public address, or a name that can resolve there.
 *
 * @param host in canonical form, as `URL` returns it
 * @param isHostAllowed names that are allowed in addition
 */
export function isPublicHost(host: string, isHostAllowed: IsHostAllowed = NO_HOST): boolean {
  if (host.startsWith('[')) return isPublicAddress(host.slice(1, -1));
  if (ipaddr.IPv4.isValid(host)) return isPublicAddress(host);
  // `URL` accepts characters that no DNS name contains, such as `*`.
  if (!/^[a-z0-9.-]+$/.test(host)) return false;
  const name = withoutTrailingDot(host);
  if (name.split('.').includes('')) return false;
  return isPublicName(name) || isHostAllowed(name);
}

/** A host without the dot that marks a fully qualified name. */
export function withoutTrailingDot(host: string): string {
  return host.replace(/\.$/, '');
}

/**
 * Whether an address is assigned on the public Internet. Special-use ranges (RFC 6890) are not, and neither are IPv6
 * forms that contain an IPv4 address.
 */
export function isPublicAddress(address: string): boolean {
  // ipaddr.js also reads octal, hexadecimal and shortened forms.
  if (isIP(address) === 0 || address.includes('%') || address === METADATA_ADDRESS) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // Only 2000::/3 is assigned for the Internet.
  return parsed instanceof ipaddr.IPv4 || parsed.match(ipaddr.IPv6.parse('2000::'), 3);
}

function isPublicName(name: string): boolean {
  if (!name.includes('.')) return false;
  return !PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}
