import { pbkdf2, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** A password hash of another system. */
export interface ImportedHash {
  /** The text that is kept in place of a hash of our own. Among imported ones, texts are ordered by their work. */
  readonly stored: string;
  /** Two hashes of the same form take the same time to check. */
  readonly form: string;
  readonly verify: (password: string) => Promise<boolean>;
}

/** The reason why a hash is not accepted. */
export type HashFault = 'unknown_form' | 'too_costly';

/** The form of each supported scheme in words. */
export const HASH_FORMS =
  'bcrypt ($2b$…), scrypt ($scrypt$ln=…), argon2 ($argon2id$…) or PBKDF2 ($pbkdf2-sha256$…, pbkdf2_sha256$…)';

/** No hash of our own begins with it. Migration 1764184000000 has the same condition. */
const MARK = '~';
const MAX_LENGTH = 512;
/**
 * The longest time that checking a hash may take, in milliseconds of an ordinary core: 2^14 rounds of bcrypt. A hash is a
 * text from elsewhere, and its costs are work for the server at every attempt to sign in.
 */
const MAX_WORK_MS = 1000;
const MAX_MEMORY = 128 * 1024 * 1024;
/** Bytes of output. A shorter one has other passwords that match. */
const OUTPUT = { min: 16, max: 64 } as const;
const SALT = { min: 4, max: 64 } as const;
/** RFC 9106 §3.1: bytes of salt that the library takes, and blocks of 1 KiB for each lane. */
const ARGON2_SALT = { min: 8, max: 64 } as const;
const ARGON2_BLOCKS = 8;

/** Milliseconds for a unit of each scheme's cost. */
const UNIT_MS = {
  /** A round of 2^cost. */
  bcrypt: 0.05,
  /** A block of 128 bytes. */
  scrypt: 0.000_28,
  /** A KiB in one pass. */
  argon2: 0.000_33,
  pbkdf2: { sha1: 0.000_35, sha256: 0.000_17, sha512: 0.000_36 },
} as const;

interface Parsed {
  readonly workMs: number;
  readonly memory?: number;
  readonly form: string;
  readonly verify: (password: string) => Promise<boolean>;
}

interface Scheme {
  readonly pattern: RegExp;
  /** @returns `undefined` if a part is out of its bounds */
  readonly parse: (parts: Readonly<Record<string, string>>, text: string) => Parsed | undefined;
}

/** Loads the library at the first password, because a start does not need it (decision 39). */
export const loadArgon2 = () => import('@node-rs/argon2');
const loadBcrypt = () => import('@node-rs/bcrypt');

const derivePbkdf2 = promisify(pbkdf2);

const BCRYPT: Scheme = {
  pattern: /^\$2[aby]\$(?<cost>0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/,
  parse: ({ cost }, text) => ({
    workMs: 2 ** Number(cost) * UNIT_MS.bcrypt,
    form: `bcrypt ${cost}`,
    verify: async (password) => (await loadBcrypt()).verify(password, text),
  }),
};

const ARGON2: Scheme = {
  pattern:
    /^\$argon2(?<variant>id|i|d)\$(?:v=(?:16|19)\$)?m=(?<m>\d{1,9}),t=(?<t>\d{1,5}),p=(?<p>\d{1,3})\$(?<salt>[A-Za-z0-9+/]+)\$(?<output>[A-Za-z0-9+/]+)$/,
  parse({ variant, m, t, p, salt, output }, text) {
    if (!isCanonical(salt, ARGON2_SALT) || !isCanonical(output, OUTPUT)) return undefined;
    if (Number(t) < 1 || Number(p) < 1 || Number(m) < ARGON2_BLOCKS * Number(p)) return undefined;
    return {
      workMs: Number(m) * Number(t) * UNIT_MS.argon2,
      memory: Number(m) * 1024,
      form: `argon2${variant} ${m} ${t} ${p}`,
      verify: async (password) => (await loadArgon2()).verify(text, password),
    };
  },
};

const SCRYPT: Scheme = {
  pattern:
    /^\$scrypt\$ln=(?<ln>\d{1,2}),r=(?<r>\d{1,3}),p=(?<p>\d{1,3})\$(?<salt>[A-Za-z0-9+/]+)\$(?<output>[A-Za-z0-9+/]+)$/,
  parse({ ln, r: block, p: lanes, salt: salted, output: wanted }) {
    const [N, r, p] = [2 ** Number(ln), Number(block), Number(lanes)];
    const [salt, output] = [decode(salted, SALT), decode(wanted, OUTPUT)];
    if (salt === undefined || output === undefined || Number(ln) < 1 || r < 1 || p < 1) {
      return undefined;
    }
    // RFC 7914 §2: N is less than 2^(128 * r / 8).
    if (Number(ln) >= 16 * r) return undefined;
    const memory = 128 * r * (N + p);
    // Node refuses more than `maxmem`, which counts a little more than the blocks.
    const options = { N, r, p, maxmem: 2 * memory + 2 ** 20 };
    return {
      workMs: N * r * p * UNIT_MS.scrypt,
      memory,
      form: `scrypt ${ln} ${r} ${p}`,
      verify: async (password) =>
        isSame(await deriveScrypt(password, salt, output.length, options), output),
    };
  },
};

/** In passlib's form, where `.` stands for `+` and the rounds may have the name `i`, and in Django's, with a salt of text. */
const PBKDF2: readonly Scheme[] = [
  {
    pattern:
      /^\$pbkdf2(?:-(?<digest>sha1|sha256|sha512))?\$(?:i=)?(?<rounds>[1-9]\d{0,8})(?:,l=\d{1,3})?\$(?<salt>[A-Za-z0-9+/.]+)\$(?<output>[A-Za-z0-9+/.]+)$/,
    parse: ({ digest = 'sha1', rounds, salt, output }) =>
      parsePbkdf2(digest, rounds, decode(salt?.replaceAll('.', '+'), SALT), output),
  },
  {
    pattern:
      /^pbkdf2_(?<digest>sha1|sha256)\$(?<rounds>[1-9]\d{0,8})\$(?<salt>[A-Za-z0-9]{4,64})\$(?<output>[A-Za-z0-9+/]+={0,2})$/,
    parse: ({ digest = '', rounds, salt = '', output }) =>
      parsePbkdf2(digest, rounds, Buffer.from(salt), output?.replace(/=+$/, '')),
  },
];

const SCHEMES: readonly Scheme[] = [BCRYPT, ARGON2, SCRYPT, ...PBKDF2];

/** Reads a hash of another system, without doing its work. */
export function readImportedHash(text: string): ImportedHash | HashFault {
  if (text.length > MAX_LENGTH) return 'unknown_form';
  // Django names the scheme before the hashes of other libraries.
  const hash = text.replace(/^(?:bcrypt(?=\$\$2)\$|argon2(?=\$argon2))/, '');
  for (const { pattern, parse } of SCHEMES) {
    const parts = pattern.exec(hash)?.groups;
    const parsed = parts && parse(parts, hash);
    if (parsed === undefined) continue;
    const { workMs, memory = 0, form, verify } = parsed;
    if (workMs > MAX_WORK_MS || memory > MAX_MEMORY) return 'too_costly';
    const order = String(Math.ceil(workMs)).padStart(4, '0');
    return { stored: `${MARK}${order}:${hash}`, form, verify };
  }
  return 'unknown_form';
}

/**
 * The imported hash in place of one of our own. Its costs are checked as at the import.
 * @returns `undefined` for a hash of our own
 */
export function readStoredHash(stored: string): ImportedHash | undefined {
  if (!stored.startsWith(MARK)) return undefined;
  const read = readImportedHash(stored.slice(stored.indexOf(':') + 1));
  return typeof read === 'string' ? undefined : read;
}

/** Whether an account has the password that it was imported with. */
export function isImported(stored: string): boolean {
  return stored.startsWith(MARK);
}

function parsePbkdf2(
  digest: string,
  rounds: string | undefined,
  salt: Buffer | undefined,
  wanted: string | undefined,
): Parsed | undefined {
  const output = decode(wanted?.replaceAll('.', '+'), OUTPUT);
  if (salt === undefined || output === undefined) return undefined;
  const iterations = Number(rounds);
  const unit = UNIT_MS.pbkdf2[digest as keyof typeof UNIT_MS.pbkdf2];
  // The work repeats for each block of the digest's length.
  const blocks = Math.ceil(output.length / DIGEST_BYTES[digest as keyof typeof DIGEST_BYTES]);
  return {
    workMs: iterations * blocks * unit,
    form: `pbkdf2 ${digest} ${iterations} ${output.length}`,
    verify: async (password) =>
      isSame(await derivePbkdf2(password, salt, iterations, output.length, digest), output),
  };
}

const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const;

function deriveScrypt(
  password: string,
  salt: Buffer,
  length: number,
  options: { readonly N: number; readonly r: number; readonly p: number; readonly maxmem: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Base64 without padding, within bounds of bytes. */
function decode(
  text: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): Buffer | undefined {
  const bytes = Buffer.from(text ?? '', 'base64');
  return bytes.length >= min && bytes.length <= max ? bytes : undefined;
}

/** Whether a text is base64 as an encoder writes it, within bounds of bytes. argon2's library reads no other one. */
function isCanonical(text: string | undefined, bounds: { min: number; max: number }): boolean {
  return decode(text, bounds)?.toString('base64').replace(/=+$/, '') === text;
}

function isSame(derived: Buffer, output: Buffer): boolean {
  return derived.length === output.length && timingSafeEqual(derived, output);
}
