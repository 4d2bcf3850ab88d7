import type { Digest, Keyring } from '../credentials/index.js';

/** Verifies client secrets. */
export interface ClientSecrets {
  /**
   * Whether a digest is that of the presented secret. A digest under an older secret key is replaced by one under the
   * current key, so that the older key can be retired.
   */
  isSecretOf(clientId: string, digest: string, presented: string): Promise<boolean>;
}

/** @param move replaces the digest of a secret, if the former digest is still stored */
export function createClientSecrets(
  keyring: Keyring,
  move: (clientId: string, former: string, digest: Digest) => Promise<void>,
): ClientSecrets {
  return {
    async isSecretOf(clientId, digest, presented) {
      // No constant-time comparison: the timing of keyed digests reveals nothing about the secret.
      if (!keyring.digests(presented).includes(digest)) return false;
      const current = keyring.digest(presented);
      if (current.digest !== digest) await move(clientId, digest, current);
      return true;
    },
  };
}
