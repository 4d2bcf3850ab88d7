import type { Digest, Keyring } from '../credentials/keyring.js';

/** Client secrets, towards those who check them. */
export interface ClientSecrets {
  /**
   * Whether a secret is the one that a digest was made of. One that is stored under an older secret key
   * moves to the current one, so that the older one can be retired.
   */
  isSecretOf(clientId: string, digest: string, presented: string): Promise<boolean>;
}

/** @param move stores another digest of the same secret, if the former is still the one that is stored */
export function createClientSecrets(
  keyring: Keyring,
  move: (clientId: string, former: string, digest: Digest) => Promise<void>,
): ClientSecrets {
  return {
    async isSecretOf(clientId, digest, presented) {
      // Keyed digests can be compared like any text: what is learnt from the time tells nothing of the secret.
      if (!keyring.digests(presented).includes(digest)) return false;
      const current = keyring.digest(presented);
      if (current.digest !== digest) await move(clientId, digest, current);
      return true;
    },
  };
}
