import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';

import type { RequestState } from './context.js';
import { canonicalAddress, compileNetworks } from './networks.js';
import { referenceOf } from './request-facts.js';

/**
 * Stands for an address that is not known (RFC 7239 §6.2). No allow-list matches it, and whatever is
 * counted by address counts all of these as one.
 */
const UNKNOWN_ADDRESS = 'unknown';

const FORWARDED_FOR = 'x-forwarded-for';

/** `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:443`: the address that stands in it. */
const WITH_PORT = /^(?:([\d.]+):\d{1,5}|\[([^\]]+)\](?::\d{1,5})?)$/;

/** A link-local address names an interface too (RFC 4007 §11). Allow-lists cannot hold these. */
const ZONED = /^([\da-f:.]+)(%[\w.-]{1,15})$/i;

/** The longest is `"[…]:65535"` around an IPv6 address with a zone. */
const MAX_LENGTH = 75;

/**
 * Makes the function that tells from which address a request comes.
 *
 * `X-Forwarded-For` is believed only as far as it was written by trusted proxies: read from the right, the
 * first address that is not one of theirs is the client's. Anyone can have made up what stands further left.
 * The address is `UNKNOWN_ADDRESS` when a trusted proxy forwards none, or a text that cannot be read stands
 * before it.
 *
 * @param trustedProxies `TRUST_PROXY`: addresses and networks; empty believes nobody
 */
export function createClientAddress(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => string {
  const believesNobody = trustedProxies.length === 0;
  const hopOf = createHopReader(trustedProxies);
  return (request) => {
    const peer = hopOf(request.socket.remoteAddress ?? '');
    if (believesNobody || !peer.isTrusted) return peer.address;
    // Node joins several lines by commas, in their order.
    return findClient(request.headers[FORWARDED_FOR]?.toString() ?? '', hopOf);
  };
}

interface Hop {
  readonly address: string;
  readonly isTrusted: boolean;
}

/** When all hops are trusted proxies, the first of them sent the request itself. */
function findClient(chain: string, hopOf: (text: string) => Hop): string {
  let end = chain.length;
  for (;;) {
    const comma = end === 0 ? -1 : chain.lastIndexOf(',', end - 1);
    const { address, isTrusted } = hopOf(chain.slice(comma + 1, end).trim());
    if (comma < 0 || !isTrusted) return address;
    end = comma;
  }
}

const NOBODY: Hop = { address: UNKNOWN_ADDRESS, isTrusted: false };
const MAX_REMEMBERED = 1000;

/** Reads hops; those that were read lately are remembered, for IPv6 takes some microseconds. */
function createHopReader(trustedProxies: readonly string[]): (text: string) => Hop {
  const isTrusted = compileNetworks(trustedProxies);
  const known = new Map<string, Hop>();
  return (text) => {
    if (text.length > MAX_LENGTH) return NOBODY;
    let hop = known.get(text);
    if (hop === undefined) {
      const address = readHop(text);
      hop = address === undefined ? NOBODY : { address, isTrusted: isTrusted(address) };
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(text, hop);
    }
    return hop;
  };
}

/** An address as proxies write it, with or without a port: the address alone, in one notation. */
function readHop(text: string): string | undefined {
  const plain = canonicalAddress(text);
  if (plain !== undefined) return plain;
  const bare = /^"(.*)"$/.exec(text)?.[1] ?? text;
  const [, ipv4, ipv6] = WITH_PORT.exec(bare) ?? [];
  if (ipv6 !== undefined && !ipv6.includes(':')) return undefined;
  const address = ipv4 ?? ipv6 ?? bare;
  const [, unzoned = address, zone = ''] = ZONED.exec(address) ?? [];
  const canonical = canonicalAddress(unzoned);
  return canonical === undefined ? undefined : canonical + zone;
}

/**
 * Says once in the log that requests come through a proxy that is not trusted: all of its clients share
 * one address then, in limits, allow-lists and logs.
 */
export function createProxyWarning(
  trustedProxies: readonly string[],
  log: Pick<Logger, 'warn'>,
): Middleware<RequestState> {
  let isDone = trustedProxies.length > 0;
  return (ctx, next) => {
    if (!isDone && ctx.req.headers[FORWARDED_FOR] !== undefined) {
      isDone = true;
      log.warn(
        { ...referenceOf(ctx), peer: ctx.req.socket.remoteAddress },
        'X-Forwarded-For is ignored: TRUST_PROXY is not set, so all clients of a proxy share its address',
      );
    }
    return next();
  };
}
