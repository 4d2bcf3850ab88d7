import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { KIND_BY_PREFIX, type Kind } from './kinds.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = BigInt(ALPHABET.length);
const SECRET_BYTES = 32;
/** ⌈256 / log₂ 62⌉ */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SECRET_AND_CHECKSUM = new RegExp(`^[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** What a text that is well formed claims to be. Only the database knows whether it is. */
export interface ParsedCredential {
  readonly kind: Kind;
}

/**
 * Credentials are written `<brand>_<prefix>_<secret><checksum>`: scanners recognise them by their
 * prefix, and the checksum tells a mistyped or made-up one without asking the database.
 */
export interface SecretFormat {
  /** A new credential: 256 random bits under the given prefix, such as `live`. */
  mint(prefix: string): string;
  /** Reads a presented text; `undefined` if it cannot be a credential of ours. Never throws. */
  parse(text: string): ParsedCredential | undefined;
  /** A form that identifies a credential to its owner and gives nothing away. */
  mask(raw: string): string;
}

/** @param brand what every credential starts with, `TOKEN_BRAND` */
export function createSecretFormat({ brand }: { brand: string }): SecretFormat {
  const start = brand.length + 1;
  return {
    mint(prefix) {
      const secret = base62(
        BigInt(`0x${randomBytes(SECRET_BYTES).toString('hex')}`),
        SECRET_LENGTH,
      );
      const body = `${brand}_${prefix}_${secret}`;
      return body + checksum(body);
    },
    parse(text) {
      const end = text.length - SECRET_LENGTH - CHECKSUM_LENGTH;
      const kind = KIND_BY_PREFIX.get(text.slice(start, end - 1));
      const isWritten =
        kind !== undefined &&
        text.startsWith(`${brand}_`) &&
        text[end - 1] === '_' &&
        SECRET_AND_CHECKSUM.test(text.slice(end));
      if (!isWritten || !text.endsWith(checksum(text.slice(0, -CHECKSUM_LENGTH)))) return undefined;
      return { kind };
    },
    mask: (raw) => `${raw.slice(0, raw.lastIndexOf('_') + 1)}…${raw.slice(-4)}`,
  };
}

function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (let digit = 0; digit < CHECKSUM_LENGTH; digit++) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  while (rest > 0n) {
    text = ALPHABET.charAt(Number(rest % BASE)) + text;
    rest /= BASE;
  }
  return text.padStart(length, ALPHABET.charAt(0));
}
