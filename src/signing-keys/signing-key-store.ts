import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { EntityManager } from 'typeorm';

import type { Keyring, Sealed } from '../credentials/index.js';
import {
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../credentials/secrets/signing-algorithms.js';
import { SigningKey } from './signing-key.entity.js';

/** `pending` keys are published and will sign, `active` ones sign, `retired` ones only verify. */
export type SigningKeyState = 'pending' | 'active' | 'retired';

/** Both halves of a new key. */
export type SigningKeyPair = Readonly<Record<'publicJwk' | 'privateJwk', JWK>>;

/** A key that is published. */
export interface PublishedKey {
  /** The `kid`: the key's thumbprint (RFC 7638). */
  readonly id: string;
  readonly state: SigningKeyState;
  readonly algorithm: SigningAlgorithm;
  readonly publicJwk: JWK;
  /** The private JWK, as `openKey` reads it. */
  readonly sealed: Sealed;
  readonly createdAt: Date;
  readonly signsFrom: Date;
  /** The time at which it is unpublished; `null` while it signs or will sign. */
  readonly endsAt: Date | null;
}

/** The result of a rotation. `pending`: nothing was done, because the key of the previous one does not sign yet. */
export type Rotation =
  | { readonly outcome: 'rotated'; readonly key: PublishedKey }
  | { readonly outcome: 'pending'; readonly key: PublishedKey };

export interface SigningKeyStore {
  /** All published keys of all algorithms, in descending order of the time from which they sign. */
  list(): Promise<readonly PublishedKey[]>;
  /**
   * Creates a key that is published at once and signs after `PUBLISH_SECONDS`, when every cache of the JWKS has it.
   * The previous key stays published until its last token has expired.
   */
  rotate(algorithm: SigningAlgorithm): Promise<Rotation>;
  /**
   * Creates a key for each algorithm without one, which signs at once. Safe to run on several replicas at once: one of
   * them creates the key. The lock is taken after the keys are generated, so that other replicas do not wait for that.
   */
  ensure(): Promise<void>;
  /** Encrypts a private key under the current secret key, unless another replica has done so. */
  reseal(key: PublishedKey): Promise<void>;
}

/**
 * The time for which a new key is published before it signs. Longer than the `max-age` of the JWKS plus the refresh
 * interval of replicas.
 */
const PUBLISH_SECONDS = 3600;
/** The lifetime of an id_token. */
const TOKEN_SECONDS = 3600;
/** A margin for replicas that still sign with the old key, and for clocks of relying parties. */
const MARGIN_SECONDS = 300;

/** The key of an advisory lock, used for nothing else. */
const SIGNING_KEYS_LOCK = 7_305_804_387;

/**
 * @param manager must belong to a transaction for `rotate` and `ensure`, until whose end they hold a lock
 * @param generate generates a key; tests replace it
 */
export function createSigningKeyStore(
  manager: EntityManager,
  keyring: Keyring,
  generate: (algorithm: SigningAlgorithm) => Promise<SigningKeyPair> = generateSigningKey,
): SigningKeyStore {
  const stores = { manager, keyring };
  /** The algorithms without an active key. */
  const missing = async () => {
    const keys = await list(manager);
    return SIGNING_ALGORITHMS.filter((algorithm) => activeOf(keys, algorithm) === undefined);
  };

  return {
    list: () => list(manager),
    async rotate(algorithm) {
      const pair = await generate(algorithm);
      await lock(manager);
      const [latest] = (await list(manager)).filter((key) => key.algorithm === algorithm);
      if (latest?.state === 'pending') return { outcome: 'pending', key: latest };
      const delay = latest === undefined ? 0 : PUBLISH_SECONDS;
      const key = await insert(stores, algorithm, pair, SIGNS_AFTER, delay);
      await manager.query(
        `UPDATE signing_keys SET ends_at = $2::timestamptz + make_interval(secs => $3)
         WHERE ends_at IS NULL AND id <> $1 AND algorithm = $4`,
        [key.id, key.signsFrom, TOKEN_SECONDS + MARGIN_SECONDS, algorithm],
      );
      return { outcome: 'rotated', key };
    },
    async ensure() {
      const pairs: [SigningAlgorithm, SigningKeyPair][] = [];
      for (const algorithm of await missing()) pairs.push([algorithm, await generate(algorithm)]);
      if (pairs.length === 0) return;
      await lock(manager);
      const still = await missing();
      for (const [algorithm, pair] of pairs) {
        if (still.includes(algorithm))
          await insert(stores, algorithm, pair, SIGNS_BEFORE_OTHERS, 1);
      }
    },
    async reseal(key) {
      const plaintext = keyring.open(key.sealed, contextOf(key.id));
      const { ciphertext, keyId } = keyring.seal(plaintext, contextOf(key.id));
      await manager.update(
        SigningKey,
        { id: key.id, ciphertextKeyId: key.sealed.keyId },
        { ciphertext, ciphertextKeyId: keyId },
      );
    },
  };
}

/** @param signsFrom an SQL expression; `$6` is the number of seconds in it */
async function insert(
  { manager, keyring }: { readonly manager: EntityManager; readonly keyring: Keyring },
  algorithm: SigningAlgorithm,
  { publicJwk, privateJwk }: SigningKeyPair,
  signsFrom: string,
  seconds: number,
): Promise<PublishedKey> {
  const id = await calculateJwkThumbprint(publicJwk);
  const facts = { kid: id, alg: algorithm, use: 'sig' };
  const plaintext = JSON.stringify({ ...privateJwk, ...facts });
  const sealed = keyring.seal(Buffer.from(plaintext), contextOf(id));
  await manager.query(
    `INSERT INTO signing_keys (id, algorithm, public_jwk, ciphertext, ciphertext_key_id, signs_from)
     VALUES ($1, $2, $3, $4, $5, ${signsFrom})`,
    [id, algorithm, { ...publicJwk, ...facts }, sealed.ciphertext, sealed.keyId, seconds],
  );
  const made = (await list(manager)).find((key) => key.id === id);
  if (made === undefined) throw new Error(`signing key ${id} is not there`);
  return made;
}

/** The key that signs with an algorithm. */
function activeOf(keys: readonly PublishedKey[], algorithm: SigningAlgorithm) {
  return keys.find((key) => key.algorithm === algorithm && key.state === 'active');
}

const SIGNS_AFTER = 'gatehouse_now() + make_interval(secs => $6)';
/**
 * Replicas of the first release know one algorithm and sign with the latest key. A key of another algorithm must not
 * be the latest.
 */
const SIGNS_BEFORE_OTHERS = `least(gatehouse_now(),
  (SELECT min(signs_from) FROM signing_keys) - make_interval(secs => $6))`;

/**
 * Decrypts the private JWK.
 * @throws Error if its secret key is missing, or the ciphertext was altered or belongs to another key
 */
export function openKey(keyring: Keyring, { id, sealed }: PublishedKey): JWK {
  return JSON.parse(keyring.open(sealed, contextOf(id)).toString()) as JWK;
}

/** Deletes the keys that are no longer published, with their private halves. */
export async function deleteEndedKeys(manager: EntityManager): Promise<number> {
  const [, rows] = await manager.query<[unknown, number]>(
    `DELETE FROM signing_keys WHERE ends_at <= gatehouse_now()`,
  );
  return rows;
}

interface Row extends Omit<PublishedKey, 'state' | 'sealed'> {
  readonly isPending: boolean;
  readonly ciphertext: Buffer;
  readonly ciphertextKeyId: string;
}

async function list(manager: EntityManager): Promise<readonly PublishedKey[]> {
  const rows = await manager.query<Row[]>(
    `SELECT id, algorithm, public_jwk AS "publicJwk", ciphertext,
       ciphertext_key_id AS "ciphertextKeyId", created_at AS "createdAt",
       signs_from AS "signsFrom", ends_at AS "endsAt", signs_from > gatehouse_now() AS "isPending"
     FROM signing_keys WHERE ends_at IS NULL OR ends_at > gatehouse_now()
     ORDER BY signs_from DESC, id`,
  );
  const active = new Set(
    SIGNING_ALGORITHMS.map(
      (name) => rows.find(({ algorithm, isPending }) => algorithm === name && !isPending)?.id,
    ),
  );
  return rows.map(({ isPending, ciphertext, ciphertextKeyId, ...row }) => ({
    ...row,
    state: isPending ? 'pending' : active.has(row.id) ? 'active' : 'retired',
    sealed: { ciphertext, keyId: ciphertextKeyId },
  }));
}

/** Serialises replicas, so that one of several that start at once creates the first keys. */
async function lock(manager: EntityManager): Promise<void> {
  await manager.query(`SELECT pg_advisory_xact_lock($1)`, [SIGNING_KEYS_LOCK]);
}

/** Generates a key on libuv's thread pool. An RSA key of 2048 bits takes about 80 ms, without blocking the event loop. */
export async function generateSigningKey(algorithm: SigningAlgorithm): Promise<SigningKeyPair> {
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength: 2048 });
  return {
    publicJwk: await exportJWK(pair.publicKey),
    privateJwk: await exportJWK(pair.privateKey),
  };
}

/** The additional data (AES-GCM) that binds the ciphertext to its key. */
function contextOf(id: string): string {
  return `signing key ${id}`;
}
