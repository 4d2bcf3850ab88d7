import type { JWK } from 'jose';
import type { DataSource } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import {
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../credentials/secrets/signing-algorithms.js';
import { createSigningKeyStore, openKey, type PublishedKey } from './signing-key-store.js';

/** An immutable snapshot of the signing keys. */
export interface SigningKeySnapshot {
  /** Identifies the set of keys and their states. */
  readonly id: string;
  /** The published JWKS (RFC 7517 §5): pending, active and retired keys. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** The private keys; of each algorithm the active one first, then the retired ones. */
  readonly signing: readonly JWK[];
}

/** The signing keys of a running server. */
export interface SigningKeys {
  /**
   * Reads the keys, and encrypts private keys under the current secret key. To be called every few seconds, so that
   * replicas notice rotations and pending keys become active, by the database's clock. Creates a key for an algorithm
   * without one, because a rotation by an older release ends the keys of algorithms that it does not know.
   *
   * @returns whether anything changed
   * @throws the database's error, or Error if a key cannot be decrypted; `current` is unchanged then
   */
  refresh(): Promise<boolean>;
  /** @throws Error before the first refresh */
  current(): SigningKeySnapshot;
  /**
   * The active key of an algorithm. The object is the same for the life of a snapshot.
   * @throws Error if there is none, and before the first refresh
   */
  signer(algorithm: SigningAlgorithm): { readonly key: JWK; readonly kid: string };
}

/** @param onChange called with each new snapshot, the first included */
export function createSigningKeys({
  dataSource,
  keyring,
  onChange = () => undefined,
}: {
  dataSource: DataSource;
  keyring: Keyring;
  onChange?: (snapshot: SigningKeySnapshot) => void;
}): SigningKeys {
  const store = createSigningKeyStore(dataSource.manager, keyring);
  let snapshot: SigningKeySnapshot | undefined;
  let started = 0;
  let applied = 0;

  function current(): SigningKeySnapshot {
    if (snapshot === undefined) throw new Error('the signing keys have not been read yet');
    return snapshot;
  }

  return {
    async refresh() {
      started += 1;
      const turn = started;
      let keys = await store.list();
      if (!isComplete(keys)) {
        await dataSource.transaction((manager) => createSigningKeyStore(manager, keyring).ensure());
        keys = await store.list();
      }
      const next = takeSnapshot(keyring, keys);
      for (const key of keys) {
        // While SECRET_KEYS differ between replicas, each moves the keys to its own, which is harmless.
        if (key.sealed.keyId !== keyring.currentId) await store.reseal(key);
      }
      // A later refresh may have completed before this one.
      if (turn < applied) return false;
      applied = turn;
      if (next.id === snapshot?.id) return false;
      snapshot = next;
      onChange(next);
      return true;
    },
    current,
    signer(algorithm) {
      const key = current().signing.find(({ alg }) => alg === algorithm);
      if (key?.kid === undefined) throw new Error(`there is no ${algorithm} key to sign with`);
      return { key, kid: key.kid };
    },
  };
}

/** Whether each algorithm has an active key. */
function isComplete(keys: readonly PublishedKey[]): boolean {
  return SIGNING_ALGORITHMS.every((name) =>
    keys.some(({ algorithm, state }) => algorithm === name && state === 'active'),
  );
}

/** @param keys the latest first, as the store lists them */
function takeSnapshot(keyring: Keyring, keys: readonly PublishedKey[]): SigningKeySnapshot {
  const signing = keys.filter(({ state }) => state !== 'pending');
  return {
    id: keys.map(({ id, state }) => `${state} ${id}`).join(', '),
    jwks: { keys: keys.map(({ publicJwk }) => publicJwk) },
    signing: signing.map((key) => openKey(keyring, key)),
  };
}
