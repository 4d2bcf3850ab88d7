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
    ['unknown, once the peer has gone', undefined, [], 'unknown'],
  ])('is %s, without trusted proxies', (_what, peer, forwardedFor, expected) => {
    expect(direct(requestFrom(peer, ...forwardedFor))).toBe(expected);
  });

  it.each<[string, string, string[], string]>([
    ['the peer, if that is not a proxy', '203.0.113.7', ['192.0.2.1'], '203.0.113.7'],
    ['what the proxy forwards', '10.0.0.1', ['192.0.2.1'], '192.0.2.1'],
    ['the same over a dual-stack socket', '::ffff:10.0.0.1', ['192.0.2.1'], '192.0.2.1'],
    ['the same through IPv6', '2001:db8::1', ['192.0.2.1'], '192.0.2.1'],
    ['the last that is not a proxy', '10.0.0.1', ['1.1.1.1, 192.0.2.1, 10.0.0.2'], '192.0.2.1'],
    ['the same over several lines', '10.0.0.1', ['1.1.1.1', '192.0.2.1', '10.9.9.9'], '192.0.2.1'],
    ['the first, if all are proxies', '10.0.0.1', ['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    ['unknown, if the proxy forwards nothing', '10.0.0.1', [], 'unknown'],
    ['unknown, if it forwards an empty text', '10.0.0.1', [''], 'unknown'],
    ['unknown, if it forwards a word', '10.0.0.1', ['1.1.1.1, x'], 'unknown'],
    ['unknown, after an empty element', '10.0.0.1', ['1.1.1.1,'], 'unknown'],
    ['unknown, after nothing but an empty element', '10.0.0.1', [',10.0.0.2'], 'unknown'],
    ['unknown, beyond what can be read', '10.0.0.1', ['1.1.1.1, x, 10.0.0.2'], 'unknown'],
    ['unknown, if it is too long', '10.0.0.1', [`${'0'.repeat(100)}1.1.1.1`], 'unknown'],
    ['without its port', '10.0.0.1', ['192.0.2.1:51234'], '192.0.2.1'],
    ['without brackets', '10.0.0.1', ['[2001:DB9::1]'], '2001:db9::1'],
    ['without brackets and port', '10.0.0.1', ['[2001:db9::1]:443'], '2001:db9::1'],
    ['without quotes', '10.0.0.1', ['"[2001:db9::1]:443"'], '2001:db9::1'],
    ['behind a proxy with a port', '10.0.0.1', ['192.0.2.1:1, 10.0.0.2:80'], '192.0.2.1'],
    ['in IPv4, if it is mapped', '10.0.0.1', ['[::ffff:192.0.2.1]:443'], '192.0.2.1'],
    ['in IPv4, if it is mapped in hexadecimal', '10.0.0.1', ['::ffff:c000:201'], '192.0.2.1'],
    ['with its zone, which no list can hold', '10.0.0.1', ['[fe80::1%eth0]:80'], 'fe80::1%eth0'],
    ['unknown, if brackets hold IPv4', '10.0.0.1', ['[192.0.2.1]:80'], 'unknown'],
    ['unknown, if a bracket is open', '10.0.0.1', ['[2001:db9::1'], 'unknown'],
    ['unknown, if the port is a word', '10.0.0.1', ['192.0.2.1:http'], 'unknown'],
    ['unknown, if the port is missing', '10.0.0.1', ['192.0.2.1:'], 'unknown'],
    ['unknown, if it is octal', '10.0.0.1', ['0300.0.2.1:80'], 'unknown'],
    ['unknown, if it is hidden (RFC 7239)', '10.0.0.1', ['_hidden'], 'unknown'],
  ])('is %s, with trusted proxies', (_what, peer, forwardedFor, expected) => {
    expect(proxied(requestFrom(peer, ...forwardedFor))).toBe(expected);
  });
});
