import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';

/** A keyed digest, with the id of its key. */
export interface Digest {
  readonly digest: string;
  readonly keyId: string;
}

/** AES-256-GCM: 12 bytes of nonce, the ciphertext, 16 bytes of tag; with the id of its key. */
export interface Sealed {
  readonly ciphertext: Buffer;
  readonly keyId: string;
}

/**
 * Cryptographic operations with keys derived from `SECRET_KEYS`. The first key creates, all keys verify, so that keys
 * can be rotated while both are in use.
 */
export interface Keyring {
  /** The id of the current key. */
  readonly currentId: string;
  /** The ids of all keys, the current one first. */
  readonly ids: readonly string[];
  /** The digest under which a new secret is stored: HMAC-SHA-256, 64 hex digits. */
  digest(secret: string): Digest;
  /** The digests under which a presented secret may be stored, one for each key. */
  digests(secret: string): readonly string[];
  /**
   * Encrypts a value under the current key.
   * @param context the additional data (AES-GCM) to which the ciphertext is bound
   */
  seal(plaintext: Buffer, context: string): Sealed;
  /** @throws Error if the key is missing, the ciphertext was altered, or the context differs */
  open(sealed: Sealed, context: string): Buffer;
  /** Makes a MAC for a value that clients return, such as a cursor. */
  sign(text: string): string;
  /** Verifies a MAC made by `sign` under any of the keys, in constant time. */
  isSigned(text: string, mac: string): boolean;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface DerivedKeys {
  readonly id: string;
  readonly digest: (text: string) => string;
  readonly seal: KeyObject;
  readonly sign: (text: string) => string;
}

/** @param secretKeys `SECRET_KEYS`, at least one */
export function createKeyring(secretKeys: readonly string[]): Keyring {
  const keys = secretKeys.map(derive);
  const byId = new Map(keys.map((key) => [key.id, key]));
  const [current] = keys;
  if (current === undefined) throw new Error('a keyring needs at least one key');

  return {
    currentId: current.id,
    ids: keys.map((key) => key.id),
    digest: (secret) => ({ digest: current.digest(secret), keyId: current.id }),
    digests: (secret) => keys.map((key) => key.digest(secret)),
    seal(plaintext, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.seal, nonce).setAAD(
        Buffer.from(context),
      );
      const body = Buffer.concat([nonce, cipher.update(plaintext), cipher.final()]);
      return { ciphertext: Buffer.concat([body, cipher.getAuthTag()]), keyId: current.id };
    },
    open({ ciphertext, keyId }, context) {
      const key = byId.get(keyId);
      if (key === undefined) throw new Error(`secret key ${keyId} is not configured`);
      const decipher = createDecipheriv(
        'aes-256-gcm',
        key.seal,
        ciphertext.subarray(0, NONCE_BYTES),
        {
          authTagLength: TAG_BYTES,
        },
      );
      decipher.setAAD(Buffer.from(context)).setAuthTag(ciphertext.subarray(-TAG_BYTES));
      const body = ciphertext.subarray(NONCE_BYTES, -TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]);
    },
    sign: (text) => current.sign(text),
    isSigned: (text, mac) => keys.map((key) => isSame(key.sign(text), mac)).includes(true),
  };
}

function derive(secretKey: string): DerivedKeys {
  // A derived key for each purpose, so that a value made for one cannot be used for another.
  const subkey = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', secretKey, '', `gatehouse ${purpose} v1`, 32));
  return {
    id: subkey('id').toString('hex').slice(0, 16),
    digest: createHmacSha256(subkey('digest')),
    seal: createSecretKey(subkey('seal')),
    sign: createHmacSha256(subkey('sign')),
  };
}

function isSame(a: string, b: string): boolean {
  // Hashed first, so that the lengths are equal.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
/** Longer texts use `createHmac`. */
const MAX_TEXT_BYTES = 512;

/**
 * Makes the function that computes HMAC-SHA-256 (RFC 2104) under one key, as 64 hexadecimal digits.
 *
 * Two one-shot hashes avoid the native object that `createHmac` allocates for every call (perf: decision 6).
 *
 * @param key at most 64 bytes
 */
function createHmacSha256(key: Buffer): (text: string) => string {
  const inner = Buffer.alloc(BLOCK_BYTES + MAX_TEXT_BYTES);
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    inner[index] = 0x36 ^ (key[index] ?? 0);
    outer[index] = 0x5c ^ (key[index] ?? 0);
  }
  // perf: a view costs as much as a hash, and texts have few lengths.
  const views = Array.from({ length: MAX_TEXT_BYTES + 1 }, (_, length) =>
    inner.subarray(0, BLOCK_BYTES + length),
  );

  return (text) => {
    // A UTF-16 code unit has at most three bytes in UTF-8.
    if (text.length * 3 > MAX_TEXT_BYTES)
      return createHmac('sha256', key).update(text).digest('hex');
    const view = views[inner.write(text, BLOCK_BYTES)] ?? inner;
    outer.write(hash('sha256', view, 'binary'), BLOCK_BYTES, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}
