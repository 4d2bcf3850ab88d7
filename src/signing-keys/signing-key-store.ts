import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { EntityManager } from 'typeorm';

import type { Keyring, Sealed } from '../credentials/keyring.js';
import { SigningKey } from './signing-key.entity.js';

/** What a key does: `pending` is published and will sign, `active` signs, `retired` only verifies. */
export type SigningKeyState = 'pending' | 'active' | 'retired';

/** A key that is published. */
export interface PublishedKey {
  /** The `kid`: the key's thumbprint (RFC 7638). */
  readonly id: string;
  readonly state: SigningKeyState;
  readonly algorithm: string;
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
  /** All that are published, the one that signs last (or will) first. */
  list(): Promise<readonly PublishedKey[]>;
  /**
   * Makes a key that is published at once and signs after `PUBLISH_SECONDS`, when every cache of
   * the JWKS knows it. What signs until then stays published until its last token has expired.
   */
  rotate(): Promise<Rotation>;
  /** Makes the first key, which signs at once. Does nothing if there is one. */
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

const ALGORITHM = 'ES256';
/** Any number that nothing else locks. */
const SIGNING_KEYS_LOCK = 7_305_804_387;

/** @param manager for `rotate` and `ensure` a transaction's: they take a lock that lasts as long */
export function createSigningKeyStore(manager: EntityManager, keyring: Keyring): SigningKeyStore {
  async function insert(delaySeconds: number): Promise<PublishedKey> {
    const { id, publicJwk, sealed } = await makeKey(keyring);
    await manager.query(
      `INSERT INTO signing_keys (id, algorithm, public_jwk, ciphertext, ciphertext_key_id, signs_from)
       VALUES ($1, $2, $3, $4, $5, gatehouse_now() + make_interval(secs => $6))`,
      [id, ALGORITHM, publicJwk, sealed.ciphertext, sealed.keyId, delaySeconds],
    );
    const made = (await list(manager)).find((key) => key.id === id);
    if (made === undefined) throw new Error(`signing key ${id} is not there`);
    return made;
  }

  return {
    list: () => list(manager),
    async rotate() {
      await lock(manager);
      const [latest] = await list(manager);
      if (latest === undefined) return { outcome: 'rotated', key: await insert(0) };
      if (latest.state === 'pending') return { outcome: 'pending', key: latest };
      const key = await insert(PUBLISH_SECONDS);
      await manager.query(
        `UPDATE signing_keys SET ends_at = $2::timestamptz + make_interval(secs => $3)
         WHERE ends_at IS NULL AND id <> $1`,
        [key.id, key.signsFrom, TOKEN_SECONDS + MARGIN_SECONDS],
      );
      return { outcome: 'rotated', key };
    },
    async ensure() {
      await lock(manager);
      if ((await list(manager)).length === 0) await insert(0);
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

/**
 * The private JWK.
 * @throws Error if its secret key is missing, or the ciphertext was altered or moved
 */
export function openKey(keyring: Keyring, { id, sealed }: PublishedKey): JWK {
  return JSON.parse(keyring.open(sealed, contextOf(id)).toString()) as JWK;
}

/** Deletes the keys that are no longer published, with their private halves. */
export async function forgetEndedKeys(manager: EntityManager): Promise<void> {
  await manager.query(`DELETE FROM signing_keys WHERE ends_at <= gatehouse_now()`);
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
  const active = rows.find(({ isPending }) => !isPending);
  return rows.map(({ isPending, ciphertext, ciphertextKeyId, ...row }) => ({
    ...row,
    state: isPending ? 'pending' : row.id === active?.id ? 'active' : 'retired',
    sealed: { ciphertext, keyId: ciphertextKeyId },
  }));
}

/** One after the other: of servers that start at once, one makes the first key. */
async function lock(manager: EntityManager): Promise<void> {
  await manager.query(`SELECT pg_advisory_xact_lock($1)`, [SIGNING_KEYS_LOCK]);
}

async function makeKey(keyring: Keyring): Promise<{ id: string; publicJwk: JWK; sealed: Sealed }> {
  const pair = await generateKeyPair(ALGORITHM, { extractable: true });
  const id = await calculateJwkThumbprint(pair.publicKey);
  const facts = { kid: id, alg: ALGORITHM, use: 'sig' };
  const privateJwk = { ...(await exportJWK(pair.privateKey)), ...facts };
  return {
    id,
    publicJwk: { ...(await exportJWK(pair.publicKey)), ...facts },
    sealed: keyring.seal(Buffer.from(JSON.stringify(privateJwk)), contextOf(id)),
  };
}

/** What the ciphertext is bound to: one key's private half cannot be passed off as another's. */
function contextOf(id: string): string {
  return `signing key ${id}`;
}
