import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';

import { createClientAddress } from '../../src/http/client-address.js';

/** As much of a request as it takes. */
function requestFrom(peer: string | undefined, ...forwardedFor: string[]): IncomingMessage {
  return {
    socket: { remoteAddress: peer },
    headers: forwardedFor.length > 0 ? { 'x-forwarded-for': forwardedFor.join(', ') } : {},
    headersDistinct: forwardedFor.length > 0 ? { 'x-forwarded-for': forwardedFor } : {},
  } as unknown as IncomingMessage;
}

describe('the address of the client', () => {
  const direct = createClientAddress([]);
  const proxied = createClientAddress(['10.0.0.0/8', '2001:db8::/32']);

  it.each<[string, string | undefined, string[], string]>([
    ['the peer', '203.0.113.7', [], '203.0.113.7'],
    ['the peer, written as IPv4', '::ffff:203.0.113.7', [], '203.0.113.7'],
    ['the peer, whatever it forwards', '203.0.113.7', ['192.0.2.1'], '203.0.113.7'],
    ['nothing, once the peer has gone', undefined, [], ''],
  ])('is %s, without trusted proxies', (_what, peer, forwardedFor, expected) => {
    expect(direct(requestFrom(peer, ...forwardedFor))).toBe(expected);
  });

  it.each<[string, string, string[], string]>([
    ['the peer, if that is no proxy', '203.0.113.7', ['192.0.2.1'], '203.0.113.7'],
    ['what the proxy forwards', '10.0.0.1', ['192.0.2.1'], '192.0.2.1'],
    ['the same over a dual-stack socket', '::ffff:10.0.0.1', ['192.0.2.1'], '192.0.2.1'],
    ['the same through IPv6', '2001:db8::1', ['192.0.2.1'], '192.0.2.1'],
    ['the last that is no proxy', '10.0.0.1', ['1.1.1.1, 192.0.2.1, 10.0.0.2'], '192.0.2.1'],
    ['the same over several lines', '10.0.0.1', ['1.1.1.1', '192.0.2.1', '10.9.9.9'], '192.0.2.1'],
    ['the first, if all are proxies', '10.0.0.1', ['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    ['the proxy, if it forwards nothing', '10.0.0.1', [], '10.0.0.1'],
    ['a text that is no address, as it is', '10.0.0.1', ['1.1.1.1, x'], 'x'],
    ['an empty text, which is no address', '10.0.0.1', ['1.1.1.1,'], ''],
  ])('is %s, with trusted proxies', (_what, peer, forwardedFor, expected) => {
    expect(proxied(requestFrom(peer, ...forwardedFor))).toBe(expected);
  });
});
