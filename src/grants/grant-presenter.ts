import type { GrantToEnd } from './app-connections.js';
import type { ListedGrant } from './grant-list.js';

/** A grant as the operator sees it. */
export function presentGrant(grant: ListedGrant) {
  const { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt, lastUsedAt } =
    grant;
  return {
    id,
    status,
    tenantId,
    accountId,
    clientId,
    clientName,
    scopes,
    createdAt,
    lastUsedAt,
  };
}

/** A grant that the operator ended. */
export function presentEndedGrant(
  { id, tenantId, accountId, clientId }: GrantToEnd,
  reason: string | null,
) {
  return { id, status: 'revoked' as const, tenantId, accountId, clientId, reason };
}
