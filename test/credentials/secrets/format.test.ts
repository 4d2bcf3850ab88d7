import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { KINDS, type Kind } from '../../../src/credentials/kinds.js';
import { createSecretFormat } from '../../../src/credentials/secrets/format.js';

const format = createSecretFormat({ brand: 'bwp' });

/** The prefix and kind of every credential, apart from the source. */
const PREFIXES = [
  ['live', 'secret'],
  ['test', 'secret'],
  ['pk_live', 'publishable'],
  ['pk_test', 'publishable'],
  ['pat', 'personal'],
  ['svc', 'service'],
  ['agt', 'agent'],
  ['org', 'organization'],
  ['at', 'access_token'],
] as const;

const ALPHABET = Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');

/** CRC-32 (IEEE 802.3) bit by bit, as its definition reads. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The checksum: the CRC-32 of what precedes it, in base 62. */
function checksumOf(body: string): string {
  const value = crc32(body);
  return [5, 4, 3, 2, 1, 0].map((place) => ALPHABET[Math.floor(value / 62 ** place) % 62]).join('');
}

const anyPrefix = fc.constantFrom(...PREFIXES);
const base62 = (length: number) =>
  fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: length, maxLength: length });

describe('a minted credential', () => {
  it('consists of brand, prefix, 43 characters and a checksum of 6', () => {
    fc.assert(
      fc.property(anyPrefix, ([prefix]) => {
        const minted = format.mint(prefix);
        const [, body = '', checksum] = /^(bwp_[a-z_]+_[0-9A-Za-z]{43})([0-9A-Za-z]{6})$/.exec(
          minted,
        ) ?? ['', '', ''];
        expect(body.startsWith(`bwp_${prefix}_`)).toBe(true);
        expect(checksum).toBe(checksumOf(body));
      }),
    );
  });

  it('is read back as the kind that it was minted for', () => {
    fc.assert(
      fc.property(anyPrefix, ([prefix, kind]) => {
        const minted = format.mint(prefix);
        expect(format.parse(minted)).toEqual({ kind });
      }),
    );
  });

  it('holds 256 random bits: every value of the first character that 2²⁵⁶ allows turns up', () => {
    const bits = Array.from({ length: 2000 }, () => {
      const secret = format.mint('live').slice('bwp_live_'.length, -6);
      return Array.from(secret).reduce(
        (sum, digit) => sum * 62n + BigInt(ALPHABET.indexOf(digit)),
        0n,
      );
    });

    expect(new Set(bits).size).toBe(bits.length);
    expect(bits.every((value) => value < 2n ** 256n)).toBe(true);
    // Each of the 256 bits is sometimes set and sometimes not: none is lost on the way.
    expect(bits.reduce((all, value) => all | value, 0n)).toBe(2n ** 256n - 1n);
    expect(bits.reduce((all, value) => all & value, 2n ** 256n - 1n)).toBe(0n);
  });

  it('carries the configured brand', () => {
    const acme = createSecretFormat({ brand: 'acme1' });
    const minted = acme.mint('live');

    expect(minted).toMatch(/^acme1_live_/);
    expect(acme.parse(minted)).toBeDefined();
    expect(format.parse(minted)).toBeUndefined();
  });

  it('is masked to its prefix and the end of its checksum', () => {
    fc.assert(
      fc.property(anyPrefix, ([prefix]) => {
        const minted = format.mint(prefix);
        expect(format.mask(minted)).toBe(`bwp_${prefix}_…${minted.slice(-4)}`);
      }),
    );
  });
});

describe('reading a credential refuses', () => {
  it('any change of a single character', () => {
    fc.assert(
      fc.property(
        anyPrefix,
        fc.nat(),
        fc.oneof(fc.constantFrom(...ALPHABET, '_'), fc.string({ minLength: 1, maxLength: 1 })),
        ([prefix], at, character) => {
          const minted = format.mint(prefix);
          const place = at % minted.length;
          const altered = minted.slice(0, place) + character + minted.slice(place + 1);
          fc.pre(altered !== minted);
          expect(format.parse(altered)).toBeUndefined();
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('a secret of another length, also with its checksum', () => {
    fc.assert(
      fc.property(
        anyPrefix,
        fc.nat(100).chain((length) => base62(length)),
        ([prefix], secret) => {
          const body = `bwp_${prefix}_${secret}`;
          const isRight = secret.length === 43;
          expect(format.parse(body + checksumOf(body)) !== undefined).toBe(isRight);
        },
      ),
    );
  });

  it.each(['rt', 'ac', 'cs', 'rat', 'dc', 'pk', 'LIVE', 'Live', 'live_', 'master', 'a'])(
    'is the prefix %s, which nothing that opens a route has',
    (prefix) => {
      const body = `bwp_${prefix}_${'0'.repeat(43)}`;
      expect(format.parse(body + checksumOf(body))).toBeUndefined();
    },
  );

  it.each([
    ['a line break at the end', (text: string) => `${text}\n`],
    ['a blank before', (text: string) => ` ${text}`],
    ['another brand', (text: string) => `x${text}`],
    ['upper case', (text: string) => text.toUpperCase()],
    ['nothing', () => ''],
    ['itself twice', (text: string) => text + text],
  ])('is a credential with %s', (_what, change) => {
    expect(format.parse(change(format.mint('live')))).toBeUndefined();
  });

  it('arbitrary text, without throwing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.string({ unit: 'grapheme' }),
          fc.tuple(anyPrefix, base62(49)).map(([[prefix], rest]) => `bwp_${prefix}_${rest}`),
        ),
        (text) => {
          const body = text.slice(0, -6);
          fc.pre(text.slice(-6) !== checksumOf(body));
          expect(format.parse(text)).toBeUndefined();
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('a credential written from given bytes', () => {
  const anyBytes = fc
    .oneof(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.constantFrom(new Uint8Array(32), new Uint8Array(32).fill(255)),
    )
    .map((bytes) => Buffer.from(bytes));

  it('is read back as these bytes, under its own prefix and brand only', () => {
    const acme = createSecretFormat({ brand: 'acme' });
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const text = format.write('rat', bytes);
        expect(text).toMatch(/^bwp_rat_[0-9A-Za-z]{49}$/);
        expect(format.read('rat', text)).toEqual(bytes);
        expect(format.read('cs', text)).toBeUndefined();
        expect(format.read('ra', text)).toBeUndefined();
        expect(acme.read('rat', text)).toBeUndefined();
      }),
    );
  });

  it('is not read once a character has changed, nor beyond 256 bits', () => {
    fc.assert(
      fc.property(anyBytes, fc.nat(), fc.constantFrom(...ALPHABET), (bytes, at, character) => {
        const text = format.write('rat', bytes);
        const place = at % text.length;
        const altered = text.slice(0, place) + character + text.slice(place + 1);
        fc.pre(altered !== text);
        expect(format.read('rat', altered)).toBeUndefined();
      }),
    );
    const beyond = `bwp_rat_${'z'.repeat(43)}`;
    expect(format.read('rat', beyond + checksumOf(beyond))).toBeUndefined();
  });

  it.each(['', '_', 'bwp_rat_', 'bwp_rat_€', 'bwp', `bwp_rat_${'0'.repeat(48)}`])(
    'is not %j, and reading it never throws',
    (text) => {
      expect(format.read('rat', text)).toBeUndefined();
    },
  );

  it('has 32 bytes', () => {
    expect(() => format.write('rat', Buffer.alloc(31))).toThrow('32 bytes');
  });
});

describe('the prefixes', () => {
  it('name one kind each, and no kind is left out', () => {
    const declared = (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
      [...new Set(Object.values(KINDS[kind].prefix))].map((prefix) => [prefix, kind]),
    );

    expect(declared.toSorted()).toEqual([...PREFIXES].toSorted());
  });
});
