import { describe, expect, it } from '@jest/globals';
import { createHmac, hkdfSync } from 'node:crypto';

import { createKeyring } from '../../../src/credentials/secrets/keyring.js';

const OLD = 'the old secret key, thirty-two characters or more';
const NEW = 'the new secret key, thirty-two characters or more';
const before = createKeyring([OLD]);
const during = createKeyring([NEW, OLD]);
const after = createKeyring([NEW]);

describe('a keyring', () => {
  it('needs at least one key', () => {
    expect(() => createKeyring([])).toThrow('at least one key');
  });

  it('lists the ids of its keys, the current one first, without revealing a key', () => {
    expect(during.ids).toEqual([after.currentId, before.currentId]);
    expect(during.currentId).toBe(after.currentId);
    expect(before.currentId).toMatch(/^[0-9a-f]{16}$/);
    expect(createKeyring([OLD]).currentId).toBe(before.currentId);
  });
});

describe('digests', () => {
  it('are HMAC-SHA-256 under a key that is derived from the secret key for this purpose', () => {
    const key = Buffer.from(hkdfSync('sha256', OLD, '', 'gatehouse digest v1', 32));

    expect(before.digest('secret')).toEqual({
      digest: createHmac('sha256', key).update('secret').digest('hex'),
      keyId: before.currentId,
    });
  });

  it('are made under the first key and recognised under all of them', () => {
    expect(during.digest('secret')).toEqual(after.digest('secret'));
    expect(during.digests('secret')).toEqual([
      after.digest('secret').digest,
      before.digest('secret').digest,
    ]);
  });

  it('are no longer recognised once the key is removed', () => {
    expect(after.digests('secret')).not.toContain(before.digest('secret').digest);
  });

  it('distinguish secrets, to the letter', () => {
    const digests = ['secret', 'Secret', 'secret ', ''].map((text) => before.digest(text).digest);

    expect(new Set(digests).size).toBe(4);
  });
});

describe('sealed values', () => {
  const plaintext = Buffer.from('to be read again');

  it('open again, and look different every time', () => {
    const sealed = before.seal(plaintext, 'here');
    const again = before.seal(plaintext, 'here');

    expect(before.open(sealed, 'here')).toEqual(plaintext);
    expect(again.ciphertext.equals(sealed.ciphertext)).toBe(false);
    expect(sealed.ciphertext.includes(plaintext)).toBe(false);
    expect(sealed.keyId).toBe(before.currentId);
  });

  it('open when empty', () => {
    expect(before.open(before.seal(Buffer.alloc(0), 'x'), 'x')).toEqual(Buffer.alloc(0));
  });

  it('are sealed under the first key and opened under any', () => {
    expect(during.open(before.seal(plaintext, 'here'), 'here')).toEqual(plaintext);
    expect(after.open(during.seal(plaintext, 'here'), 'here')).toEqual(plaintext);
  });

  it('do not open anywhere else', () => {
    const sealed = before.seal(plaintext, 'here');

    expect(() => before.open(sealed, 'there')).toThrow();
    expect(() => before.open(sealed, '')).toThrow();
  });

  it('do not open when any bit was altered, or bytes are missing', () => {
    const { ciphertext, keyId } = before.seal(plaintext, 'here');
    for (let at = 0; at < ciphertext.length; at++) {
      const altered = Buffer.from(ciphertext);
      altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
      expect(() => before.open({ ciphertext: altered, keyId }, 'here')).toThrow();
    }
    for (const length of [0, 11, 12, 27, 28, ciphertext.length - 1]) {
      const cut = ciphertext.subarray(0, length);
      expect(() => before.open({ ciphertext: cut, keyId }, 'here')).toThrow();
    }
  });

  it('do not open without their key, nor under another', () => {
    const sealed = before.seal(plaintext, 'here');

    expect(() => after.open(sealed, 'here')).toThrow(`${before.currentId} is not configured`);
    expect(() => during.open({ ...sealed, keyId: after.currentId }, 'here')).toThrow();
  });
});

describe('signatures', () => {
  it('are recognised under any of the keys, and no other', () => {
    const mac = before.sign('a position');

    expect(before.isSigned('a position', mac)).toBe(true);
    expect(during.isSigned('a position', mac)).toBe(true);
    expect(after.isSigned('a position', mac)).toBe(false);
  });

  it('are refused for another text, cut short, padded or empty', () => {
    const mac = before.sign('a position');

    for (const forged of ['', mac.slice(1), `${mac}0`, mac.toUpperCase(), before.sign('b')]) {
      expect(before.isSigned('a position', forged)).toBe(false);
    }
    expect(before.isSigned('another position', mac)).toBe(false);
  });

  it('are not valid as digests, since each purpose has its own key', () => {
    expect(before.sign('text')).not.toBe(before.digest('text').digest);
  });
});
