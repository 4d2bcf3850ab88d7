import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockList } from 'node:net';

import {
  isAuthenticatedRedirect,
  isRegisteredRedirect,
  redirectUriFault,
} from '../../src/clients/redirect-uri.js';
import { HOSTILE, REAL } from './redirects.js';

describe('a redirect URI', () => {
  it.each(REAL)('is accepted from a real client: %s', (uri) => {
    expect(redirectUriFault(uri)).toBeUndefined();
    expect(isRegisteredRedirect(uri, uri)).toBe(true);
  });

  describe.each(Object.entries(HOSTILE))('with %s', (_what, uris) => {
    it.each(uris)('is refused: %j', (uri) => {
      expect(redirectUriFault(uri)).toEqual(expect.any(String));
    });
  });

  it('is judged the same for any case of its scheme', () => {
    const any = fc.constantFrom(...REAL, ...Object.values(HOSTILE).flat());
    fc.assert(
      fc.property(any, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), (uri, upper) => {
        const end = uri.indexOf(':');
        const scheme = Array.from(uri.slice(0, end), (c, at) => (upper[at] ? c.toUpperCase() : c));
        const other = scheme.join('') + uri.slice(end);
        expect(redirectUriFault(other)).toEqual(redirectUriFault(uri));
      }),
    );
  });

  it('never throws, and is never quoted in the fault', () => {
    const any = fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withFragments: true }));
    fc.assert(
      fc.property(any, (uri) => {
        const fault = redirectUriFault(uri);
        fc.pre(fault !== undefined && uri.length > 8);
        expect(fault).not.toContain(uri);
        expect(fault).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      }),
      { numRuns: 500 },
    );
  });

  it('has the same host for a browser’s parser', () => {
    const hosts = fc.oneof(
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.domain(),
    );
    const privateOnes = new BlockList();
    for (const [network, bits] of [
      ...([
        ['10.0.0.0', 8],
        ['127.0.0.0', 8],
        ['169.254.0.0', 16],
      ] as const),
      ...([
        ['172.16.0.0', 12],
        ['192.168.0.0', 16],
        ['100.64.0.0', 10],
        ['0.0.0.0', 8],
      ] as const),
    ]) {
      privateOnes.addSubnet(network, bits, 'ipv4');
    }
    fc.assert(
      fc.property(hosts, fc.nat(65_535), (host, port) => {
        const uri = `https://${host}:${port}/cb`;
        fc.pre(redirectUriFault(uri) === undefined);
        const { hostname } = new URL(uri);
        expect(hostname).toBe(host.toLowerCase());
        expect(privateOnes.check(hostname, 'ipv4')).toBe(false);
        if (hostname.startsWith('[')) expect(hostname).toMatch(/^\[[23]/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('isAuthenticatedRedirect', () => {
  it('is true for https only', () => {
    expect(REAL.filter(isAuthenticatedRedirect)).toEqual(
      REAL.filter((uri) => uri.startsWith('https://')),
    );
    expect(isAuthenticatedRedirect('httpsx://x/')).toBe(false);
  });
});
