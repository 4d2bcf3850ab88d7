import type { Digest, Keyring, SecretFormat } from '../../credentials/index.js';
import { isPublicClientId } from '../client-id.js';
import type { Client } from '../client.entity.js';

/** `bwp_rat_…` */
const PREFIX = 'rat';

/** Registration access tokens (RFC 7592 §1.2). */
export interface RegistrationTokens {
  /**
   * The token of a public client: a MAC of its id. It is the same for all installations, and is not stored.
   */
  derive(clientId: string): string;
  /** A new token of a confidential client, with the digest to store. */
  mint(): { readonly token: string; readonly digest: Digest };
  /** Whether a presented text is the client's token. Sends no query, never throws. */
  admits(client: Client, text: string): boolean;
}

export function createRegistrationTokens({
  keyring,
  format,
}: {
  keyring: Keyring;
  format: SecretFormat;
}): RegistrationTokens {
  const purpose = (clientId: string) => JSON.stringify(['registration token', clientId]);
  return {
    derive: (clientId) => format.write(PREFIX, Buffer.from(keyring.sign(purpose(clientId)), 'hex')),
    mint() {
      const token = format.mint(PREFIX);
      return { token, digest: keyring.digest(token) };
    },
    admits({ id, registrationDigest }, text) {
      const secret = format.read(PREFIX, text);
      if (secret === undefined) return false;
      if (isPublicClientId(id)) return keyring.isSigned(purpose(id), secret.toString('hex'));
      return registrationDigest !== null && keyring.digests(text).includes(registrationDigest);
    },
  };
}
