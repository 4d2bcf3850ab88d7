import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

import { ownText } from '../db/own-text.js';

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Additional prefix bits of an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96;
const MAPPED = '::ffff:';

/** Whether a text is an address without prefix length, port, brackets or zone. */
export function isAddress(text: string): boolean {
  return isPlainNotation(text);
}

/** Whether a text is an address or a network (CIDR), as in an allow-list. */
export function isAddressOrNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** Tests whether an address is in one of the compiled networks. */
export type NetworkMatcher = (address: string) => boolean;

/**
 * Compiles networks for matching many addresses. Fails closed: unreadable addresses and networks match nothing.
 * IPv4-mapped IPv6 addresses are treated as IPv4.
 */
export function compileNetworks(networks: readonly string[]): NetworkMatcher {
  const compiled = networks.flatMap((text) => {
    const network = parseNetwork(text);
    return network === undefined ? [] : [{ words: wordsOf(network[0]), bits: network[1] }];
  });
  return (address) => {
    const parsed = parseAddress(address);
    if (parsed === undefined) return false;
    const words = wordsOf(parsed);
    return compiled.some((network) => isPrefix(network.words, network.bits, words));
  };
}

/** The maximum number of cached lists. */
const MAX_LISTS = 1000;

/**
 * Makes a matcher for stored lists, whose networks are separated by spaces. Compiled lists are cached.
 */
export function createListMatcher(): (address: string, list: string) => boolean {
  const known = new Map<string, NetworkMatcher>();
  return (address, list) => {
    let matcher = known.get(list);
    if (matcher === undefined) {
      matcher = compileNetworks(list.split(' '));
      if (known.size >= MAX_LISTS) known.clear();
      known.set(ownText(list), matcher);
    }
    return matcher(address);
  };
}

/** Splits an address into words of 16 bits: 2 for IPv4, 8 for IPv6. */
function wordsOf(address: ipaddr.IPv4 | ipaddr.IPv6): readonly number[] {
  if (address instanceof ipaddr.IPv6) return address.parts;
  const [a = 0, b = 0, c = 0, d = 0] = address.octets;
  return [a * 256 + b, c * 256 + d];
}

function isPrefix(network: readonly number[], bits: number, words: readonly number[]): boolean {
  if (network.length !== words.length) return false;
  return network.every((word, index) => {
    const free = Math.max(0, 16 * (index + 1) - bits);
    return free >= 16 || word >> free === (words[index] ?? 0) >> free;
  });
}

/** Whether `outer` allows every address that `inner` allows. */
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
 * The subscriber to whom attempts from an address are attributed: the IPv4 address or the IPv6 /64. Unreadable
 * addresses count as one subscriber.
 */
export function subscriberOf(address: string): string {
  const parsed = parseAddress(address.replace(/%.*$/, ''));
  if (parsed === undefined) return 'unreadable';
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const prefix = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${prefix.join(':')}::/64`;
}

/**
 * Writes an address in canonical notation (RFC 5952), and an IPv4-mapped one as IPv4.
 * @returns `undefined` if the text is not an address in plain notation
 */
export function canonicalAddress(text: string): string | undefined {
  // perf: a valid IPv4 address is canonical already.
  if (isIPv4(text)) return text;
  if (text.startsWith(MAPPED) && isIPv4(text.slice(MAPPED.length)))
    return text.slice(MAPPED.length);
  return parseAddress(text)?.toString();
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return isPlainNotation(text) ? ipaddr.process(text) : undefined;
}

/**
 * Whether an address is in plain notation. ipaddr.js also accepts octal, hexadecimal and shortened forms, which
 * implementations read differently. It also reads the deprecated `::a.b.c.d` (RFC 4291 §2.5.5.1) as a mapped address.
 */
function isPlainNotation(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%') && !/^::\d+\./.test(text);
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
