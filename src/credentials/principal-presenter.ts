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

/**
 * Describes a principal, as `/api/v1/me` answers it: the members of a JSON object, without its braces. They are those of
 * `presentedKey`, `presentedToken` or `presentedExchange`.
 * perf: written as text, since a batch of verdicts would build and walk thousands of objects (decision 23). Ids of rows and
 * names of scopes hold nothing that JSON escapes; ids of clients may be URLs.
 */
export function principalMembers(principal: Principal): string {
  const { kind, tenantId, scopes, environment, token, exchanged, principalId } = principal;
  const common =
    `"type":"${KINDS[kind].type}","tenantId":"${tenantId}","environment":"${environment}",` +
    `"scopes":${scopes.length === 0 ? '[]' : `["${scopes.join('","')}"]`}`;
  if (token !== undefined) {
    return (
      `${common},"clientId":${JSON.stringify(token.clientId)},` +
      `"clientName":${JSON.stringify(token.clientName)},"userId":"${principalId}",` +
      `"role":"${token.role}","expiresAt":${timeText(principal.expiresAt ?? 0)}`
    );
  }
  const speaker = `"principal":{"kind":"${principal.principalKind}","id":"${principalId}"}`;
  if (exchanged !== undefined) {
    const { keyId } = exchanged;
    const name = JSON.stringify(exchanged.keyName);
    return (
      `${common},"clientId":"${keyId}","clientName":${name},"keyId":"${keyId}",` +
      `"keyName":${name},${speaker},"expiresAt":${timeText(principal.expiresAt ?? 0)}`
    );
  }
  const name = JSON.stringify(principal.credentialName);
  return `${common},"keyId":"${principal.credentialId}","keyName":${name},${speaker}`;
}

/** A time in milliseconds since the epoch, as JSON: RFC 3339, in UTC. */
export function timeText(time: number): string {
  return `"${new Date(time).toISOString()}"`;
}
