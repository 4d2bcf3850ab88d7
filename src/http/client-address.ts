import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';

import { ownText } from '../db/own-text.js';
import type { RequestState } from './context.js';
import { canonicalAddress, compileNetworks } from './networks.js';
import { referenceOf } from './request-facts.js';

/**
 * The value for an unknown address (RFC 7239 §6.2). No allow-list matches it. Limits by address count all unknown
 * addresses as one.
 */
const UNKNOWN_ADDRESS = 'unknown';

const FORWARDED_FOR = 'x-forwarded-for';

/** Matches the address in `192.0.2.1:80`, `[2001:db8::1]` and `[2001:db8::1]:443`. */
const WITH_PORT = /^(?:([\d.]+):\d{1,5}|\[([^\]]+)\](?::\d{1,5})?)$/;

/** Matches a link-local address with its zone (RFC 4007 §11). Allow-lists cannot hold these. */
const ZONED = /^([\da-f:.]+)(%[\w.-]{1,15})$/i;

/** The longest form is `"[…]:65535"` around an IPv6 address with a zone. */
const MAX_LENGTH = 75;

/**
 * Makes the function that determines the client's address of a request.
 *
 * `X-Forwarded-For` is trusted only as far as trusted proxies wrote it: read from the right, the first address that
 * is not a trusted proxy is the client's. Entries further left can be forged. The address is `UNKNOWN_ADDRESS` if a
 * trusted proxy forwards none, or if an unreadable entry comes first.
 *
 * @param trustedProxies `TRUST_PROXY`: addresses and networks; if empty, the header is ignored
 */
export function createClientAddress(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => string {
  const ignoresHeader = trustedProxies.length === 0;
  const hopOf = createHopReader(trustedProxies);
  return (request) => {
    const peer = hopOf(request.socket.remoteAddress ?? '');
    if (ignoresHeader || !peer.isTrusted) return peer.address;
    // Node joins several header lines by commas, in order.
    return findClient(request.headers[FORWARDED_FOR]?.toString() ?? '', hopOf);
  };
}

/**
 * Makes the function that reads a header which a proxy sets about the request that it forwards.
 *
 * @param trustedProxies `TRUST_PROXY`; from others the header is ignored
 * @returns the header; `undefined` if it is absent, empty, or not from a trusted proxy
 */
export function createProxyHeaders(
  trustedProxies: readonly string[],
): (request: IncomingMessage, name: string) => string | undefined {
  const hopOf = createHopReader(trustedProxies);
  return ({ socket, headers }, name) => {
    const value = headers[name]?.toString() ?? '';
    if (value === '' || !hopOf(socket.remoteAddress ?? '').isTrusted) return undefined;
    return value;
  };
}

interface Hop {
  readonly address: string;
  readonly isTrusted: boolean;
}

/** Finds the client in the chain. If all hops are trusted proxies, it is the first of them. */
function findClient(chain: string, hopOf: (text: string) => Hop): string {
  let end = chain.length;
  for (;;) {
    const comma = end === 0 ? -1 : chain.lastIndexOf(',', end - 1);
    const { address, isTrusted } = hopOf(chain.slice(comma + 1, end).trim());
    if (comma < 0 || !isTrusted) return address;
    end = comma;
  }
}

const UNREADABLE: Hop = { address: UNKNOWN_ADDRESS, isTrusted: false };
const MAX_REMEMBERED = 1000;

/** Makes a parser of hops with a cache. perf: parsing IPv6 takes some microseconds. */
function createHopReader(trustedProxies: readonly string[]): (text: string) => Hop {
  const isTrusted = compileNetworks(trustedProxies);
  const known = new Map<string, Hop>();
  return (text) => {
    if (text.length > MAX_LENGTH) return UNREADABLE;
    let hop = known.get(text);
    if (hop === undefined) {
      const own = ownText(text);
      const address = readHop(own);
      hop = address === undefined ? UNREADABLE : { address, isTrusted: isTrusted(address) };
      if (known.size >= MAX_REMEMBERED) known.clear();
      known.set(own, hop);
    }
    return hop;
  };
}

/** Parses an address as proxies write it, with or without a port. @returns it in canonical notation */
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
 * Logs once that requests come through a proxy although `TRUST_PROXY` is not set. All of its clients then share one
 * address in limits, allow-lists and logs.
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
