import type { Actor } from '../audit/audit-log.js';
import type { RefreshTokenFacts, RefreshTokens } from '../grants/refresh-tokens.js';
import type { SecretFormat } from '../credentials/secret-format.js';
import { delegableThroughOauth } from '../scopes/roles.js';
import { commonTo, inCatalogOrder } from '../scopes/scope-set.js';
import type { FindRefreshRow, RefreshRow } from './refresh-rows.js';

/** Refresh tokens for those who look at them or end them, from the same rows as the exchange itself. */
export function createRefreshTokens({
  findRow,
  format,
  endGrant,
}: {
  findRow: FindRefreshRow;
  format: SecretFormat;
  endGrant: (row: RefreshRow, actor: Actor) => Promise<void>;
}): RefreshTokens {
  async function findOf(clientId: string, secret: string): Promise<RefreshRow | undefined> {
    if (format.read('rt', secret) === undefined) return undefined;
    const row = await findRow(secret, performance.now());
    return row?.client_id === clientId ? row : undefined;
  }
  return {
    async find(clientId, secret) {
      const row = await findOf(clientId, secret);
      return row && describe(row);
    },
    async revoke(actor, secret) {
      const row = await findOf(actor.id, secret);
      if (row === undefined) return false;
      // Ended once is enough: asking again and again should not fill the audit log.
      if (!row.is_dead) await endGrant(row, actor);
      return true;
    },
  };
}

function describe(row: RefreshRow): RefreshTokenFacts {
  const { role } = row;
  const isGood = !row.is_used && row.remaining > 0 && !row.is_dead && !row.is_suspended;
  const scopes = role === null ? [] : delegableThroughOauth(role);
  return {
    isActive: isGood && role !== null,
    scope: commonTo(inCatalogOrder(row.scopes), scopes).join(' '),
    client_id: row.client_id,
    sub: row.account_id,
    tenant_id: row.tenant_id,
    environment: 'live',
    spaces: null,
    principal: { kind: 'user', id: row.account_id },
    role: role ?? undefined,
    exp: Math.floor(Date.now() / 1000 + row.remaining),
  };
}
