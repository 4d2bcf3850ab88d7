import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

import { KIND_BY_PREFIX, type Kind } from '../kinds.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = BigInt(ALPHABET.length);
const SECRET_BYTES = 32;
/** ⌈256 / log₂ 62⌉ */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SECRET_AND_CHECKSUM = new RegExp(`^[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** Matches a credential of any brand. */
const ANY_CREDENTIAL = new RegExp(
  `[a-z][a-z0-9]{1,15}_[a-z_]{2,10}_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}`,
);

/** The kind that a well-formed credential claims. It is not verified yet. */
export interface ParsedCredential {
  readonly kind: Kind;
}

/**
 * The format of credentials: `<brand>_<prefix>_<secret><checksum>`. Secret scanners recognise the prefix. The checksum
 * detects mistyped and invented credentials without a database query.
 */
export interface SecretFormat {
  /** The common prefix of all credentials, such as `bwp_`. */
  readonly start: string;
  /** Generates a credential with 256 random bits under a prefix such as `live`. */
  mint(prefix: string): string;
  /**
   * Formats 256 bits as a credential, for derived secrets.
   * @param secret 32 unpredictable bytes
   */
  write(prefix: string, secret: Buffer): string;
  /**
   * Reads the 32 bytes of a presented credential. Never throws.
   * @returns `undefined` if it is not well-formed under this prefix
   */
  read(prefix: string, text: string): Buffer | undefined;
  /** Parses a presented text. Never throws. @returns `undefined` if it is malformed */
  parse(text: string): ParsedCredential | undefined;
  /** Finds the fault in the form of a malformed text. Independent of stored data. */
  faultOf(text: string): FormFault;
  /** Masks a credential so that its owner can recognise it. */
  mask(raw: string): string;
}

/**
 * The fault in the form of a text. `other`: the name of the secret that it looks like, which is not a credential of
 * the API.
 */
export type FormFault =
  | { readonly fault: 'brand' | 'prefix' | 'length' | 'checksum' }
  | { readonly fault: 'kind'; readonly other: string };

/** Secrets with the format of credentials that the API does not accept. */
const OTHER_SECRETS: ReadonlyMap<string, string> = new Map([
  ['rt', 'a refresh token'],
  ['ac', 'an authorization code'],
  ['cs', 'a client secret'],
  ['rat', 'a registration token'],
  ['dc', 'a device code'],
  ['rs', 'a credential of a resource server'],
  ['op', 'an operator key'],
]);

/** Whether a text contains a credential, such as a key in the wrong form field. */
export function holdsCredential(text: string): boolean {
  return ANY_CREDENTIAL.test(text);
}

/** @param brand `TOKEN_BRAND` */
export function createSecretFormat({ brand }: { brand: string }): SecretFormat {
  const start = brand.length + 1;
  const write = (prefix: string, secret: Buffer) => {
    if (secret.length !== SECRET_BYTES) throw new Error(`a secret has ${SECRET_BYTES} bytes`);
    const digits = base62(BigInt(`0x${secret.toString('hex')}`), SECRET_LENGTH);
    const body = `${brand}_${prefix}_${digits}`;
    return body + checksum(body);
  };

  return {
    start: `${brand}_`,
    mint: (prefix) => write(prefix, randomBytes(SECRET_BYTES)),
    write,
    read(prefix, text) {
      const head = `${brand}_${prefix}_`;
      const rest = text.slice(head.length);
      const isWritten =
        text.startsWith(head) &&
        SECRET_AND_CHECKSUM.test(rest) &&
        text.endsWith(checksum(text.slice(0, -CHECKSUM_LENGTH)));
      return isWritten ? bytesOf(rest.slice(0, SECRET_LENGTH)) : undefined;
    },
    parse(text) {
      const end = text.length - SECRET_LENGTH - CHECKSUM_LENGTH;
      const kind = KIND_BY_PREFIX.get(text.slice(start, end - 1));
      const isWritten =
        kind !== undefined &&
        text.startsWith(`${brand}_`) &&
        text[end - 1] === '_' &&
        isInAlphabet(text, end) &&
        endsWithChecksum(text);
      return isWritten ? { kind } : undefined;
    },
    faultOf(text) {
      if (!text.startsWith(`${brand}_`)) return { fault: 'brand' };
      const rest = text.slice(start);
      const isOf = (prefix: string) => rest.startsWith(`${prefix}_`) || rest === prefix;
      for (const [prefix, other] of OTHER_SECRETS)
        if (isOf(prefix)) return { fault: 'kind', other };
      const prefix = [...KIND_BY_PREFIX.keys()].find(isOf);
      if (prefix === undefined) return { fault: 'prefix' };
      const isWhole = SECRET_AND_CHECKSUM.test(rest.slice(prefix.length + 1));
      return { fault: isWhole ? 'checksum' : 'length' };
    },
    mask: (raw) => `${raw.slice(0, raw.lastIndexOf('_') + 1)}…${raw.slice(-4)}`,
  };
}

const IN_ALPHABET = Uint8Array.from({ length: 128 }, (_, code) =>
  ALPHABET.includes(String.fromCharCode(code)) ? 1 : 0,
);

/** perf: a third of the time of a pattern (decision 23). */
function isInAlphabet(text: string, start: number): boolean {
  for (let at = start; at < text.length; at += 1) {
    if (IN_ALPHABET[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
}

/** Whether the last characters are the checksum of all before them. perf: without writing it. */
function endsWithChecksum(text: string): boolean {
  const end = text.length - CHECKSUM_LENGTH;
  let rest = crc32(text.slice(0, end));
  for (let at = text.length - 1; at >= end; at -= 1) {
    if (text.charCodeAt(at) !== ALPHABET.charCodeAt(rest % ALPHABET.length)) return false;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return true;
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

/** @returns `undefined` for the few texts of this length whose value exceeds 256 bits */
function bytesOf(digits: string): Buffer | undefined {
  let value = 0n;
  for (const digit of digits) value = value * BASE + BigInt(ALPHABET.indexOf(digit));
  const hex = value.toString(16).padStart(SECRET_BYTES * 2, '0');
  return hex.length === SECRET_BYTES * 2 ? Buffer.from(hex, 'hex') : undefined;
}
