import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { EntityManager } from 'typeorm';

import type { Keyring, Sealed } from '../credentials/keyring.js';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../credentials/signing-algorithms.js';
import { SigningKey } from './signing-key.entity.js';

/** What a key does: `pending` is published and will sign, `active` signs, `retired` only verifies. */
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
  /** No longer published from here on; `null` while it signs or is going to. */
  readonly endsAt: Date | null;
}

/** What became of a rotation. `pending`: the last one has not taken effect, the key is that one's. */
export type Rotation =
  | { readonly outcome: 'rotated'; readonly key: PublishedKey }
  | { readonly outcome: 'pending'; readonly key: PublishedKey };

export interface SigningKeyStore {
  /** All published keys of all algorithms, the one that signs last (or will) first. */
  list(): Promise<readonly PublishedKey[]>;
  /**
   * Makes a key that is published at once and signs after `PUBLISH_SECONDS`, when every cache of
   * the JWKS knows it. The key that signs until then stays published until its last token has expired.
   */
  rotate(algorithm: SigningAlgorithm): Promise<Rotation>;
  /**
   * Makes a key for each algorithm that has none, which signs at once. Replicas may do it at once: one
   * of them makes the key. The lock is taken after the keys are generated, so that none waits for that.
   */
  ensure(): Promise<void>;
  /** Moves a private key under the current secret key, unless somebody else did meanwhile. */
  reseal(key: PublishedKey): Promise<void>;
}

/**
 * How long a new key is published before it signs. Must be longer than anybody may cache the JWKS
 * (its `max-age`) and replicas take to follow (seconds) together.
 */
const PUBLISH_SECONDS = 3600;
/** How long an id_token lives. */
const TOKEN_SECONDS = 3600;
/** For replicas that still sign with the old key, and for clocks of relying parties. */
const MARGIN_SECONDS = 300;

/** Any number that nothing else locks. */
const SIGNING_KEYS_LOCK = 7_305_804_387;

/**
 * @param manager for `rotate` and `ensure` a transaction's: they take a lock that lasts as long
 * @param generate makes a key; replaced by tests, which share one
 */
export function createSigningKeyStore(
  manager: EntityManager,
  keyring: Keyring,
  generate: (algorithm: SigningAlgorithm) => Promise<SigningKeyPair> = generateSigningKey,
): SigningKeyStore {
  /** @param signsFrom an SQL expression; `$6` is the number of seconds in it */
  async function insert(
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

  /** The algorithms that nothing can be signed with. */
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
      const key = await insert(algorithm, pair, SIGNS_AFTER, delay);
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
        if (still.includes(algorithm)) await insert(algorithm, pair, SIGNS_BEFORE_OTHERS, 1);
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

/** The key that signs with an algorithm. */
function activeOf(keys: readonly PublishedKey[], algorithm: SigningAlgorithm) {
  return keys.find((key) => key.algorithm === algorithm && key.state === 'active');
}

const SIGNS_AFTER = 'gatehouse_now() + make_interval(secs => $6)';
/**
 * A replica of the release before knows one algorithm and signs with the latest key, whatever that is. A
 * key for another algorithm must not be it.
 */
const SIGNS_BEFORE_OTHERS = `least(gatehouse_now(),
  (SELECT min(signs_from) FROM signing_keys) - make_interval(secs => $6))`;

/**
 * The private JWK.
 * @throws Error if its secret key is missing, or the ciphertext was altered or moved
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

/** Serialises replicas: of those that start at once, one makes the first keys. */
async function lock(manager: EntityManager): Promise<void> {
  await manager.query(`SELECT pg_advisory_xact_lock($1)`, [SIGNING_KEYS_LOCK]);
}

/** Runs on libuv's pool: an RSA key of 2048 bits takes about 80 ms of it, and nothing of the event loop. */
export async function generateSigningKey(algorithm: SigningAlgorithm): Promise<SigningKeyPair> {
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength: 2048 });
  return {
    publicJwk: await exportJWK(pair.publicKey),
    privateJwk: await exportJWK(pair.privateKey),
  };
}

/** What the ciphertext is bound to: one key's private half cannot be passed off as another's. */
function contextOf(id: string): string {
  return `signing key ${id}`;
}
