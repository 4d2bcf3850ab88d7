import { z } from 'zod';

import type { AssertionAlgorithm } from '../../credentials/secrets/signing-algorithms.js';
import { boundedList, boundedText } from '../../http/body/bounded.js';

const MAX_KEYS = 20;
const MAX_TEXT = 1000;
/** Base64url characters of a modulus of 2048 and of 4096 bits. Larger ones make each verification expensive. */
const MODULUS = /^[\w-]{342,683}$/;
const COORDINATE = /^[\w-]{43}$/;
/** Members of private and symmetric keys (RFC 7518 §6). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

const text = (pattern: RegExp) => boundedText(MAX_TEXT, z.string().regex(pattern));
const common = {
  kid: z.string().max(200).optional(),
  use: z.literal('sig').optional(),
};

/** A public key for signatures (RFC 7517 §4). Members that are not needed are dropped. */
const publicKey = z.discriminatedUnion('kty', [
  z.object({
    ...common,
    kty: z.literal('RSA'),
    alg: z.enum(['RS256', 'PS256']).optional(),
    n: text(MODULUS),
    e: text(/^[\w-]{1,6}$/),
  }),
  z.object({
    ...common,
    kty: z.literal('EC'),
    alg: z.literal('ES256').optional(),
    crv: z.literal('P-256'),
    x: text(COORDINATE),
    y: text(COORDINATE),
  }),
  z.object({
    ...common,
    kty: z.literal('OKP'),
    alg: z.enum(['EdDSA', 'Ed25519']).optional(),
    crv: z.literal('Ed25519'),
    x: text(COORDINATE),
  }),
]);

export type PublicKey = z.output<typeof publicKey>;

export interface PublicKeySet {
  readonly keys: readonly PublicKey[];
}

export const PRIVATE_KEY = 'contains a private or symmetric key';

const keySet = z.object({ keys: boundedList(MAX_KEYS, z.unknown()) });

/**
 * Reads a JWK Set (RFC 7517 §5). Keys of other kinds and for encryption are dropped.
 * @returns the reason why it is not usable
 */
export function readPublicKeys(value: unknown): readonly PublicKey[] | string {
  const set = keySet.safeParse(value);
  if (!set.success) return `must be a JWK Set of up to ${MAX_KEYS} keys`;
  if (set.data.keys.some(isPrivate)) return PRIVATE_KEY;
  const usable = set.data.keys.flatMap((key) => publicKey.safeParse(key).data ?? []);
  return usable.length > 0 ? usable : 'contains no usable public key';
}

/** Whether a value is a JWK Set with a private or symmetric key in it, or more keys than are read. */
export function holdsPrivateKey(value: unknown): boolean {
  const keys: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'keys') : [];
  return Array.isArray(keys) && (keys.length > MAX_KEYS || keys.some(isPrivate));
}

function isPrivate(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return false;
  return PRIVATE_MEMBERS.some((name) => Object.hasOwn(key, name));
}

const KEY_TYPES = { RS256: 'RSA', PS256: 'RSA', ES256: 'EC', EdDSA: 'OKP' } as const;

/** Keys that a signature can be of. @param kid of the signature's header, if it names one */
export function keysFor(
  keys: readonly PublicKey[],
  algorithm: AssertionAlgorithm,
  kid: string | undefined,
): readonly PublicKey[] {
  return keys.filter(
    (key) =>
      key.kty === KEY_TYPES[algorithm] &&
      (kid === undefined || key.kid === undefined || key.kid === kid) &&
      (key.alg === undefined || key.alg === algorithm || key.alg === 'Ed25519'),
  );
}
