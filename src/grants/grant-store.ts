import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import { createRevocationStore } from '../credentials/index.js';
import { IS_REVOKED } from '../credentials/tables.js';
import { createId } from '../db/id.js';
import type { Scope } from '../scopes/catalog.js';
import { Grant } from './grant.entity.js';

/** A grant to be created. */
export interface NewGrant {
  readonly tenantId: string;
  readonly accountId: string;
  readonly clientId: string;
  /** In the catalogue's order; at least one. */
  readonly scopes: readonly Scope[];
  /** The resources (RFC 8707) that tokens may be asked for. */
  readonly resources: readonly string[];
  readonly redirectUri: string;
}

/** A grant with its status. */
export interface StoredGrant extends Readonly<Omit<Grant, 'tenant' | 'account' | 'client'>> {
  readonly clientName: string;
  readonly status: 'active' | 'revoked';
}

export interface GrantStore {
  /**
   * Creates a grant, and so a token family. Needs a transaction: it takes the locks of every subject whose revocation
   * would end the grant.
   * @returns its id; `undefined` if the client is blocked, or the membership has ended
   */
  create(grant: NewGrant): Promise<string | undefined>;
  find(tenantId: string, id: string): Promise<StoredGrant | undefined>;
  /** As `find`, in all tenants, for the operator. */
  findAnywhere(id: string): Promise<StoredGrant | undefined>;
  /** Revokes a grant with all its tokens. Needs a transaction. Idempotent. */
  revoke(id: string, by: string, reason: string | null): Promise<void>;
}

/** The initial `keep_until` of a grant. Tokens extend it. */
const KEEP_UNUSED = '1 day';

export function createGrantStore(manager: EntityManager): GrantStore {
  async function read(
    condition: Partial<Pick<Grant, 'id' | 'tenantId'>>,
  ): Promise<StoredGrant | undefined> {
    const { entities, raw } = await manager
      .createQueryBuilder(Grant, 'c')
      .innerJoin('clients', 'client', 'client.id = c.clientId')
      .addSelect('client.name', 'client_name')
      .addSelect(`CASE WHEN ${IS_REVOKED} THEN 'revoked' ELSE 'active' END`, 'status')
      .where(condition)
      .getRawAndEntities<RawGrant>();
    const [grant] = entities;
    if (grant === undefined) return undefined;
    const { client_name: clientName = '', status = 'revoked' } = raw[0] ?? {};
    return Object.assign({}, grant, { clientName, status });
  }

  return {
    async create({ tenantId, accountId, clientId, scopes, resources, redirectUri }) {
      const id = createId('grt');
      const subjects = subjectsOf(id, { tenantId, accountId, clientId });
      const seq = await createRevocationStore(manager).drawIssueOrder(subjects);
      // Read after the locks: a concurrent block or removal was committed before, or follows and ends this grant.
      const [inserted] = await manager.query<object[]>(
        `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects,
           issue_seq, keep_until)
         SELECT $1, m.tenant_id, m.account_id, client.id, $5, $6, $7, $8, $9, gatehouse_now() + $10::interval
         FROM memberships m, clients client
         WHERE m.tenant_id = $2 AND m.account_id = $3 AND client.id = $4 AND client.blocked_at IS NULL
           AND NOT EXISTS (SELECT FROM client_blocks b WHERE b.client_id = $4 AND b.tenant_id = $2)
         -- Waits for a cleanup that is deleting the client. Without it the foreign key would fail.
         FOR KEY SHARE OF client
         RETURNING 1`,
        [
          id,
          tenantId,
          accountId,
          clientId,
          scopes,
          resources,
          redirectUri,
          subjects,
          seq,
          KEEP_UNUSED,
        ],
      );
      return inserted === undefined ? undefined : id;
    },
    find: (tenantId, id) => read({ tenantId, id }),
    findAnywhere: (id) => read({ id }),
    revoke: (id, by, reason) => createRevocationStore(manager).revoke(id, by, reason),
  };
}

/** The members of a code or refresh token that revoking its grant needs. */
export type EndedGrant = Readonly<Record<'grant_id' | 'tenant_id' | 'client_id', string>>;

/** Revokes a grant and records it in the audit log, in the manager's transaction. */
export async function endGrantIn(
  manager: EntityManager,
  { grant_id: grantId, tenant_id: tenantId, client_id: clientId }: EndedGrant,
  actor: Actor,
  reason: string | null,
): Promise<void> {
  await createGrantStore(manager).revoke(grantId, actor.id, reason);
  await createAuditLog(manager).record(actor, {
    tenantId,
    action: 'grant.revoke',
    subject: grantId,
    details: { clientId, reason },
  });
}

/**
 * The subjects whose revocation ends a grant: itself, its client, the client in this tenant, the membership, the account
 * and the tenant.
 */
function subjectsOf(
  id: string,
  { tenantId, accountId, clientId }: Pick<NewGrant, 'tenantId' | 'accountId' | 'clientId'>,
): string[] {
  const inTenant = (subject: string) => `${subject}@${tenantId}`;
  return [id, clientId, inTenant(clientId), inTenant(accountId), accountId, tenantId];
}

interface RawGrant {
  readonly client_name: string;
  readonly status: StoredGrant['status'];
}
