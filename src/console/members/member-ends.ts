import type { EntityManager } from 'typeorm';

import { IS_EXPIRED, IS_REVOKED } from '../../credentials/tables.js';
import type { Scope } from '../../scopes/catalog.js';
import { delegableBy, delegableThroughOauth, type Role } from '../../scopes/roles.js';
import { missingFrom } from '../../scopes/scope-set.js';

/** A living personal token or app of a member. */
interface Holding {
  readonly what: 'token' | 'app';
  readonly scopes: readonly Scope[];
}

/** The living tokens and apps of a member. Their number is bounded: 100 tokens, and what a person allows. */
async function holdingsOf(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<readonly Holding[]> {
  return manager.query<Holding[]>(
    `SELECT 'token' AS what, c.scopes FROM credentials c
     WHERE c.principal_kind = 'user' AND c.principal_id = $2 AND c.tenant_id = $1
       AND NOT ${IS_EXPIRED} AND NOT ${IS_REVOKED}
     UNION ALL
     SELECT 'app', c.scopes FROM grants c
     WHERE c.account_id = $2 AND c.tenant_id = $1 AND c.keep_until > gatehouse_now() AND NOT ${IS_REVOKED}`,
    [tenantId, accountId],
  );
}

/** Everything that ends with a membership, in words. */
export async function endsOf(
  manager: EntityManager,
  tenantId: string,
  accountId: string,
): Promise<readonly string[]> {
  const holdings = await holdingsOf(manager, tenantId, accountId);
  const [{ invitations }] = await manager.query<[{ invitations: number }]>(
    `SELECT count(*)::int AS invitations FROM invitations WHERE tenant_id = $1 AND invited_by = $2`,
    [tenantId, accountId],
  );
  const tokens = holdings.filter(({ what }) => what === 'token').length;
  const apps = holdings.length - tokens;
  return [
    'Access to the organization, at once',
    ...(tokens > 0
      ? [`${counted(tokens, 'personal access token')}, refused from the next request on`]
      : []),
    ...(apps > 0 ? [`${counted(apps, 'connected app')}, signed out at once`] : []),
    ...(invitations > 0 ? [counted(invitations, 'pending invitation')] : []),
  ];
}

/**
 * Describes in a sentence the access that a change of role removes.
 * @returns `undefined` if no token and no app loses anything
 */
export async function describeCut(
  manager: EntityManager,
  member: { readonly tenantId: string; readonly accountId: string },
  from: Role,
  to: Role,
): Promise<string | undefined> {
  const holdings = await holdingsOf(manager, member.tenantId, member.accountId);
  const cut = holdings.map(({ what, scopes }) => {
    const delegable = what === 'token' ? delegableBy : delegableThroughOauth;
    const held = scopes.filter((scope) => delegable(from).includes(scope));
    return { what, lost: missingFrom(delegable(to), held) };
  });
  const losing = cut.filter(({ lost }) => lost.length > 0);
  if (losing.length === 0) return undefined;
  const tokens = losing.filter(({ what }) => what === 'token').length;
  const apps = losing.length - tokens;
  const who = [
    ...(tokens > 0 ? [counted(tokens, 'token')] : []),
    ...(apps > 0 ? [counted(apps, 'app')] : []),
  ].join(' and ');
  const scopes = [...new Set(losing.flatMap(({ lost }) => lost))];
  return `${who} ${losing.length === 1 ? 'loses' : 'lose'} ${listed(scopes)} at once.`;
}

const MAX_LISTED = 4;

function listed(scopes: readonly string[]): string {
  const shown = scopes.slice(0, MAX_LISTED);
  const more = scopes.length - shown.length;
  const items = more > 0 ? [...shown, `${more} more`] : shown;
  return new Intl.ListFormat('en').format(items);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
