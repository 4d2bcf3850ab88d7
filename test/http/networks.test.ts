import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockList } from 'node:net';

import {
  areWithin,
  compileNetworks,
  isAddressOrNetwork,
  subscriberOf,
} from '../../src/http/networks.js';

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();
const bits4 = fc.integer({ min: 0, max: 32 });
const bits6 = fc.integer({ min: 0, max: 128 });

const isInNetworks = (address: string, networks: readonly string[]) =>
  compileNetworks(networks)(address);

/** Node's own judgement, which shares no code with ours. */
function isInBlock(address: string, network: string, bits: number, family: 'ipv4' | 'ipv6') {
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return list.check(address, family);
}

/** An address of the network: its first bits, the rest from another address. */
function blend4(network: string, other: string, bits: number): string {
  const number = (text: string) =>
    text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const host = 2 ** (32 - bits);
  const value = Math.floor(number(network) / host) * host + (number(other) % host);
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

describe('compileNetworks', () => {
  it('judges IPv4 as Node does', () => {
    fc.assert(
      fc.property(ipv4, ipv4, bits4, (address, network, bits) => {
        const expected = isInBlock(address, network, bits, 'ipv4');
        expect(isInNetworks(address, [`${network}/${bits}`])).toBe(expected);
        const inside = blend4(network, address, bits);
        expect(isInNetworks(inside, [`${network}/${bits}`])).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('judges IPv6 as Node does', () => {
    const plain = ipv6.filter((text) => !text.includes('.') && !/^(0{0,4}:)*:?ffff:/.test(text));
    fc.assert(
      fc.property(plain, plain, bits6, (address, network, bits) => {
        const expected = isInBlock(address, network, bits, 'ipv6');
        expect(isInNetworks(address, [`${network}/${bits}`])).toBe(expected);
        expect(isInNetworks(network, [`${network}/${bits}`])).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('treats an IPv4-mapped address as the IPv4 address, on either side', () => {
    fc.assert(
      fc.property(ipv4, ipv4, bits4, (address, network, bits) => {
        const expected = isInBlock(address, network, bits, 'ipv4');
        expect(isInNetworks(`::ffff:${address}`, [`${network}/${bits}`])).toBe(expected);
        expect(isInNetworks(address, [`::ffff:${network}/${bits + 96}`])).toBe(expected);
      }),
    );
  });

  it('never matches across families', () => {
    expect(isInNetworks('10.0.0.1', ['::/0'])).toBe(false);
    expect(isInNetworks('::1', ['0.0.0.0/0'])).toBe(false);
    expect(isInNetworks('::10.0.0.1', ['10.0.0.0/8'])).toBe(false);
  });

  it('matches no text that is not an address, and never throws', () => {
    const notAnAddress = fc
      .oneof(fc.string(), fc.constantFrom('127.1', '0x7f.0.0.1', '127.0.0.1:80', '[::1]', ' ::1'))
      .filter((text) => !isAddressOrNetwork(text));
    fc.assert(
      fc.property(notAnAddress, (text) => {
        expect(isInNetworks(text, ['0.0.0.0/0', '::/0'])).toBe(false);
        expect(isInNetworks('127.0.0.1', [text])).toBe(false);
        expect(isInNetworks('::1', [text])).toBe(false);
      }),
    );
    expect(isInNetworks('127.0.0.1', [])).toBe(false);
  });
});

describe('isAddressOrNetwork', () => {
  it.each(['10.0.0.1', '0.0.0.0/0', '10.0.0.0/32', '::', '2001:db8::/32', '::ffff:1.2.3.4/96'])(
    'reads %s',
    (text) => expect(isAddressOrNetwork(text)).toBe(true),
  );

  it.each([
    '',
    '10',
    '10.0.0',
    '010.0.0.1',
    '0x0a.0.0.1',
    '10.0.0.1/',
    '10.0.0.1/33',
    '10.0.0.1/08',
    '10.0.0.1/-1',
    '10.0.0.1/8/8',
    '10.0.0.1/+8',
    '10.0.0.1 ',
    '::1/129',
    '::1%lo',
    ':::',
    '::10.0.0.1',
    '::ffff:1.2.3.4/95',
    '1.2.3.4/1e1',
    '10.0.0.1/255.0.0.0',
    'example.com',
  ])('does not read %j', (text) => expect(isAddressOrNetwork(text)).toBe(false));
});

describe('areWithin', () => {
  it('holds exactly when one network contains the other', () => {
    fc.assert(
      fc.property(ipv4, ipv4, bits4, bits4, (address, network, inner, outer) => {
        const nested = blend4(network, address, outer);
        for (const base of [address, nested]) {
          const expected = inner >= outer && isInBlock(base, network, outer, 'ipv4');
          expect(areWithin([`${base}/${inner}`], [`${network}/${outer}`])).toBe(expected);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('requires an outer network for each inner one', () => {
    const outer = ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'];

    expect(areWithin(['10.1.0.0/16', '192.0.2.1/32', '2001:db8:1::1'], outer)).toBe(true);
    expect(areWithin(['10.1.0.0/16', '192.0.2.2'], outer)).toBe(false);
    expect(areWithin(['::ffff:10.1.2.3'], outer)).toBe(true);
    expect(areWithin(['nonsense'], outer)).toBe(false);
    expect(areWithin(['10.0.0.1'], [])).toBe(false);
  });
});

describe('subscriberOf', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::9', '2001:db8:1:3::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', 'unreadable'],
    ['010.0.0.1', 'unreadable'],
    ['x'.repeat(10_000), 'unreadable'],
  ])('takes %j for %s', (address, subscriber) => {
    expect(subscriberOf(address)).toBe(subscriber);
  });
});
