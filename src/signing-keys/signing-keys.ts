import type { JWK } from 'jose';
import type { DataSource } from 'typeorm';

import type { Keyring } from '../credentials/keyring.js';
import { createSigningKeyStore, openKey, type PublishedKey } from './signing-key-store.js';

/** The signing keys as they were at one moment. Never changes; the next one is another object. */
export interface SigningKeySnapshot {
  /** Another whenever anything is: which keys there are, or which of them signs. */
  readonly id: string;
  /** What is published (RFC 7517 §5): those that will sign, do sign, and have signed. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Private keys: the one that signs first, then those whose tokens still have to be recognised. */
  readonly signing: readonly JWK[];
}

/** The signing keys that a running server works with. */
export interface SigningKeys {
  /**
   * Reads them again, and moves private keys that are stored under a retiring secret key to the
   * current one. To be called every few seconds: that is how replicas follow a rotation, and how a
   * new key takes over when its time has come, by the database's clock.
   *
   * @returns whether anything changed
   * @throws whatever the database reports, or Error if a key cannot be opened; `current` stays as it is
   */
  refresh(): Promise<boolean>;
  /** @throws Error before the first refresh */
  current(): SigningKeySnapshot;
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

  return {
    async refresh() {
      started += 1;
      const turn = started;
      const keys = await store.list();
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
    current() {
      if (snapshot === undefined) throw new Error('the signing keys have not been read yet');
      return snapshot;
    },
  };
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
