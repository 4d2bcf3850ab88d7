import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Bits that an IPv4 address is longer by when it is written as IPv6 (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96;

/** Whether a text is an address: without a network's length, a port, brackets or a zone. */
export function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

/** Whether a text is an address or a network (CIDR) that an allow-list can hold. */
export function isAddressOrNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/**
 * Whether an address is in one of the networks. Fails closed: an address or a network that cannot
 * be read matches nothing. IPv4-mapped IPv6 addresses count as the IPv4 address that they hold.
 */
export function isInNetworks(address: string, networks: readonly string[]): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  return networks.some((text) => {
    const network = parseNetwork(text);
    return network?.[0].kind() === parsed.kind() && parsed.match(network);
  });
}

/** Whether every address that `inner` allows is allowed by `outer` too. */
export function areWithin(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((text) => {
    const network = parseNetwork(text);
    if (network === undefined) return false;
    return outer.some((candidate) => {
      const wider = parseNetwork(candidate);
      return (
        wider?.[0].kind() === network[0].kind() && wider[1] <= network[1] && network[0].match(wider)
      );
    });
  });
}

/**
 * Whom an address stands for when attempts are counted: itself, but for IPv6 its /64, of which one
 * subscriber has all. What cannot be read counts as one.
 */
export function subscriberOf(address: string): string {
  const parsed = parseAddress(address.replace(/%.*$/, ''));
  if (parsed === undefined) return 'unreadable';
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const prefix = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${prefix.join(':')}::/64`;
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  // ipaddr.js also reads octal, hexadecimal and shortened forms, which different readers
  // understand differently; only the plain notation is accepted. And it takes the deprecated
  // `::a.b.c.d` (RFC 4291 §2.5.5.1) for the mapped address that it isn't.
  if (isIP(text) === 0 || text.includes('%') || /^::\d+\./.test(text)) return undefined;
  return ipaddr.process(text);
}

function parseNetwork(text: string): Network | undefined {
  const [base = '', length, ...rest] = text.split('/');
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0) return undefined;

  const bits = address.kind() === 'ipv4' ? 32 : 128;
  if (length === undefined) return [address, bits];
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const isMapped = bits === 32 && isIP(base) === 6;
  const prefix = Number(length) - (isMapped ? MAPPED_BITS : 0);
  return prefix >= 0 && prefix <= bits ? [address, prefix] : undefined;
}
