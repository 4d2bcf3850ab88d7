import { type Keyring, type ListedCredential, sealingContextOf } from '../credentials/index.js';
import { factsOf } from '../credentials/kinds.js';

/** Presents a key to clients and operators. */
export type KeyPresenter = ReturnType<typeof createKeyPresenter>;

/** @param keyring decrypts publishable keys, which every response shows */
export function createKeyPresenter(keyring: Keyring) {
  /** @param secret the key itself, shown once, in the response that created it */
  return (key: ListedCredential, secret?: string) => {
    const shown = secret ?? reveal(keyring, key);
    return { ...presentKey(key), ...(shown !== undefined && { key: shown }) };
  };
}

function reveal(keyring: Keyring, key: ListedCredential): string | undefined {
  const { ciphertext, ciphertextKeyId: keyId } = key;
  if (!factsOf(key.kind).isReadable || ciphertext === null || keyId === null) return undefined;
  return keyring.open({ ciphertext, keyId }, sealingContextOf(key.id)).toString();
}

function presentKey(key: ListedCredential) {
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
    ...(key.proofKey && { jwkThumbprint: key.proofKey }),
  };
}
