import { z } from 'zod';

import { time } from '../http/answers.js';
import { SCOPES, type Scope } from '../scopes/catalog.js';
import { ENVIRONMENTS, KEY_KINDS, KINDS, PRINCIPAL_KINDS, type Kind } from './kinds.js';
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
 * perf: written as text, since a batch of verdicts would build and walk thousands of objects. Each part costs as much as a
 * small object, so that constant parts are joined once (decision 23). Ids of rows and names of scopes hold nothing that
 * JSON escapes; ids of clients may be URLs.
 */
export function principalMembers(principal: Principal): string {
  const { kind, tenantId, scopes, environment, token, exchanged, principalId } = principal;
  const common = BEFORE_TENANT[kind] + tenantId + AFTER_TENANT[environment] + scopesText(scopes);
  if (token !== undefined) {
    return (
      `${common},"clientId":${JSON.stringify(token.clientId)},` +
      `"clientName":${JSON.stringify(token.clientName)},"userId":"${principalId}",` +
      `"role":"${token.role}","expiresAt":${timeText(principal.expiresAt ?? 0)}`
    );
  }
  const speaker = `${BEFORE_SPEAKER[principal.principalKind]}${principalId}"}`;
  if (exchanged !== undefined) {
    const { keyId } = exchanged;
    const name = JSON.stringify(exchanged.keyName);
    return (
      `${common},"clientId":"${keyId}","clientName":${name},"keyId":"${keyId}",` +
      `"keyName":${name}${speaker},"expiresAt":${timeText(principal.expiresAt ?? 0)}`
    );
  }
  const name = JSON.stringify(principal.credentialName);
  return `${common},"keyId":"${principal.credentialId}","keyName":${name}${speaker}`;
}

/** A text for each of these names. */
const textsOf = <Name extends string>(names: readonly Name[], write: (name: Name) => string) =>
  Object.fromEntries(names.map((name) => [name, write(name)])) as Record<Name, string>;

const BEFORE_TENANT = textsOf(
  Object.keys(KINDS) as Kind[],
  (kind) => `"type":"${KINDS[kind].type}","tenantId":"`,
);
const AFTER_TENANT = textsOf(ENVIRONMENTS, (name) => `","environment":"${name}","scopes":`);
const BEFORE_SPEAKER = textsOf(PRINCIPAL_KINDS, (kind) => `,"principal":{"kind":"${kind}","id":"`);

const scopeTexts = new WeakMap<readonly Scope[], string>();

/** perf: credentials share lists of scopes (`scope-sets.ts`). */
function scopesText(scopes: readonly Scope[]): string {
  let text = scopeTexts.get(scopes);
  if (text === undefined) {
    text = JSON.stringify(scopes);
    scopeTexts.set(scopes, text);
  }
  return text;
}

/** A time in milliseconds since the epoch, as JSON: RFC 3339, in UTC. */
export function timeText(time: number): string {
  return `"${new Date(time).toISOString()}"`;
}
