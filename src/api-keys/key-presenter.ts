import type { StoredCredential } from '../credentials/credential-store.js';

/** A key as clients and operators see it: everything but its secret. */
export function presentKey(key: StoredCredential) {
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
