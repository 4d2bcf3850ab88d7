import type { StoredCredential } from '../credentials/credential-store.js';
import type { Keyring } from '../credentials/keyring.js';
import { factsOf } from '../credentials/kinds.js';
import { sealingContextOf } from '../credentials/sealed-secret.js';

/** Makes the function that shows a key as clients and operators see it. */
export type KeyPresenter = ReturnType<typeof createKeyPresenter>;

/** @param keyring opens keys that may be public, and so are shown whenever they are looked at */
export function createKeyPresenter(keyring: Keyring) {
  /** @param secret the key itself, at the only time when it is shown */
  return (key: StoredCredential, secret?: string) => {
    const shown = secret ?? reveal(keyring, key);
    return { ...presentKey(key), ...(shown !== undefined && { key: shown }) };
  };
}

function reveal(keyring: Keyring, key: StoredCredential): string | undefined {
  const { ciphertext, ciphertextKeyId: keyId } = key;
  if (!factsOf(key.kind).isReadable || ciphertext === null || keyId === null) return undefined;
  return keyring.open({ ciphertext, keyId }, sealingContextOf(key.id)).toString();
}

function presentKey(key: StoredCredential) {
  return {
    id: key.id,
    name: key.name,
    kind: key.kind,
    environment: key.environment,
    scopes: key.scopes,
    allowedIps: key.allowedIps,
    expiresAt: key.expiresAt,
    rateLimitPerMinute: key.rateLimitPerMinute,
    spaces: key.spaces,
    bindings: key.bindings,
    status: key.status,
    maskedKey: key.maskedKey,
    createdAt: key.createdAt,
    createdBy: key.createdBy,
    lastUsedAt: key.lastUsedAt,
    lastUsedIp: key.lastUsedAddress,
    replaces: key.replaces,
  };
}
