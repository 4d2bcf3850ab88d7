import type { JWK } from 'jose';
import type { DataSource } from 'typeorm';

import type { Keyring } from '../credentials/keyring.js';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../credentials/signing-algorithms.js';
import { createSigningKeyStore, openKey, type PublishedKey } from './signing-key-store.js';

/** The signing keys as they were at one moment. Never changes; the next one is another object. */
export interface SigningKeySnapshot {
  /** Another whenever anything is: which keys there are, or which of them signs. */
  readonly id: string;
  /** What is published (RFC 7517 §5): those that will sign, do sign, and have signed. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Private keys: of each algorithm the one that signs first, then those that signed before. */
  readonly signing: readonly JWK[];
}

/** The signing keys that a running server works with. */
export interface SigningKeys {
  /**
   * Reads them again, and moves private keys that are stored under a retiring secret key to the
   * current one. To be called every few seconds: that is how replicas follow a rotation, and how a
   * new key takes over when its time has come, by the database's clock. Makes a key for an algorithm
   * that has none: a replica of an older release that rotates ends those that it does not know.
   *
   * @returns whether anything changed
   * @throws whatever the database reports, or Error if a key cannot be opened; `current` stays as it is
   */
  refresh(): Promise<boolean>;
  /** @throws Error before the first refresh */
  current(): SigningKeySnapshot;
  /**
   * The key that signs with an algorithm: the same object as long as the snapshot is.
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
        // While SECRET_KEYS differ between replicas each moves them to its own: harmless, and soon over.
        if (key.sealed.keyId !== keyring.currentId) await store.reseal(key);
      }
      // A later refresh may have been answered earlier.
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

/** Whether something can be signed with each algorithm. */
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
