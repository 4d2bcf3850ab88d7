import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

import type { Keyring } from '../credentials/index.js';

/** The signing secrets of a webhook, the newest first. */
export type SigningSecrets = readonly {
  /** `whsec_` and base64, as Standard Webhooks writes it. */
  readonly secret: string;
  /** When a replaced one ends, in milliseconds since the epoch. */
  readonly until?: number;
}[];

export interface SealedSecrets {
  readonly ciphertext: Buffer;
  readonly keyId: string;
}

const SECRET_BYTES = 32;

export function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

/** Binds the ciphertext to its row. */
const contextOf = (id: string) => `webhook ${id}`;

export function sealSecrets(keyring: Keyring, id: string, secrets: SigningSecrets): SealedSecrets {
  return keyring.seal(Buffer.from(JSON.stringify(secrets)), contextOf(id));
}

export function openSecrets(keyring: Keyring, id: string, sealed: SealedSecrets): SigningSecrets {
  return JSON.parse(keyring.open(sealed, contextOf(id)).toString()) as SigningSecrets;
}

/**
 * The headers of Standard Webhooks: a signature by each secret that is valid. The id stays the same when a message is
 * repeated.
 */
export function signedHeaders(
  secrets: SigningSecrets,
  id: string,
  body: string,
): Record<string, string> {
  const now = new Date();
  const valid = secrets.filter(({ until }) => until === undefined || until > now.getTime());
  return {
    'Content-Type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': valid
      .map(({ secret }) => new Webhook(secret).sign(id, now, body))
      .join(' '),
  };
}
