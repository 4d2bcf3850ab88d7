import { z } from 'zod';

import {
  type Keyring,
  type ListedCredential,
  type SealedKey,
  sealingContextOf,
} from '../credentials/index.js';
import { CREDENTIAL_STATUSES, ENVIRONMENTS, factsOf, KEY_KINDS } from '../credentials/kinds.js';
import { annotationAnswer, presentAnnotations } from '../http/annotations.js';
import { time } from '../http/answers.js';
import { SCOPES } from '../scopes/catalog.js';

export const keyAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  kind: z.enum(KEY_KINDS),
  environment: z.enum(ENVIRONMENTS),
  scopes: z.array(z.enum(SCOPES)),
  allowedIps: z.array(z.string()).nullable(),
  expiresAt: time.nullable(),
  rateLimitPerMinute: z.int().nullable(),
  spaces: z.array(z.string()).nullable(),
  bindings: z.array(z.strictObject({ type: z.string(), id: z.string() })).nullable(),
  status: z.enum(CREDENTIAL_STATUSES),
  maskedKey: z.string(),
  createdAt: time,
  createdBy: z.string(),
  lastUsedAt: time.nullable(),
  lastUsedIp: z.string().nullable(),
  replaces: z.string().nullable(),
  ...annotationAnswer,
  /** The thumbprint (RFC 7638) of the key whose possession its requests must prove. */
  jwkThumbprint: z.string().optional(),
  /** The key itself: of publishable keys always, of others once. */
  key: z.string().optional(),
});

/** Presents a key to clients and operators. */
export type KeyPresenter = ReturnType<typeof createKeyPresenter>;

/** @param keyring decrypts publishable keys, which every response shows */
export function createKeyPresenter(keyring: Keyring) {
  const reveal = ({ id, ciphertext, ciphertextKeyId: keyId }: SealedKey): string =>
    keyring.open({ ciphertext, keyId }, sealingContextOf(id)).toString();

  const shownOf = ({ id, kind, ciphertext, ciphertextKeyId }: ListedCredential) => {
    if (!factsOf(kind).isReadable || ciphertext === null || ciphertextKeyId === null)
      return undefined;
    return reveal({ id, ciphertext, ciphertextKeyId });
  };

  /** @param secret the key itself, shown once, in the response that created it */
  const present = (key: ListedCredential, secret?: string) => {
    const shown = secret ?? shownOf(key);
    return { ...presentKey(key), ...(shown !== undefined && { key: shown }) };
  };
  return Object.assign(present, { reveal });
}

/** Lists are written with the same members (`KEYS` of `src/credentials/store/credential-page.ts`). */
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
    ...presentAnnotations(key),
    ...(key.proofKey && { jwkThumbprint: key.proofKey }),
  };
}
