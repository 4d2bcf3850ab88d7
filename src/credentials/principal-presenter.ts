import { z } from 'zod';

import { time } from '../http/answers.js';
import { SCOPES } from '../scopes/catalog.js';
import { ENVIRONMENTS, KEY_KINDS, KINDS, PRINCIPAL_KINDS } from './kinds.js';
import type { Principal } from './principal.js';

const common = {
  tenantId: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  environment: z.enum(ENVIRONMENTS),
};

/** A principal with a key, as JSON. */
export const presentedKey = z.strictObject({
  ...common,
  keyId: z.string(),
  keyName: z.string(),
  type: z.enum(KEY_KINDS.map((kind) => KINDS[kind].type)),
  principal: z.strictObject({ kind: z.enum(PRINCIPAL_KINDS), id: z.string() }),
});

/** A principal with an access token, as JSON. */
export const presentedToken = z.strictObject({
  ...common,
  type: z.literal(KINDS.access_token.type),
  clientId: z.string(),
  clientName: z.string(),
  userId: z.string(),
  role: z.string(),
  expiresAt: time,
});

/** A principal with an access token that was issued for a key, as JSON. */
export const presentedExchange = z.strictObject({
  ...common,
  type: z.literal(KINDS.access_token.type),
  clientId: z.string(),
  clientName: z.string(),
  keyId: z.string(),
  keyName: z.string(),
  principal: presentedKey.shape.principal,
  expiresAt: time,
});

/** Describes a principal, as `/api/v1/me` answers it. */
export function presentPrincipal(principal: Principal) {
  const { kind, tenantId, scopes, environment, token, exchanged } = principal;
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
  if (exchanged !== undefined) {
    return {
      type,
      clientId: exchanged.keyId,
      clientName: exchanged.keyName,
      keyId: exchanged.keyId,
      keyName: exchanged.keyName,
      tenantId,
      scopes,
      environment,
      principal: { kind: principal.principalKind, id: principal.principalId },
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
