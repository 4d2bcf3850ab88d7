import { KINDS } from './kinds.js';
import type { Principal } from './principal.js';

/** Describes a principal, as `/api/v1/me` answers it. */
export function presentPrincipal(principal: Principal) {
  const { kind, tenantId, scopes, environment, token } = principal;
  const { type } = KINDS[kind];
  if (token !== undefined) {
    return {
      type,
      clientId: token.clientId,
      clientName: token.clientName,
      userId: principal.principalId,
      tenantId,
      role: token.role,
      scopes,
      environment,
      expiresAt: new Date(principal.expiresAt ?? 0),
    };
  }
  return {
    keyId: principal.credentialId,
    keyName: principal.credentialName,
    tenantId,
    scopes,
    type,
    environment,
    principal: { kind: principal.principalKind, id: principal.principalId },
  };
}
