import type { EntityManager, SelectQueryBuilder } from 'typeorm';

import type { PageRequest } from '../http/pagination.js';
import { CredentialUse } from './credential-use.entity.js';
import { Credential } from './credential.entity.js';
import type { Environment, KeyKind } from './kinds.js';
import { IS_EXPIRED, IS_REVOKED } from './verdict-sql.js';

/** A stored credential with what has become of it. */
export interface StoredCredential extends Readonly<Omit<Credential, 'ciphertext' | 'tenant'>> {
  readonly status: 'active' | 'expired' | 'revoked';
  readonly lastUsedAt: Date | null;
  readonly lastUsedAddress: string | null;
}

/** Which of a tenant's credentials are meant. */
export interface CredentialFilter {
  readonly kinds: readonly KeyKind[];
  readonly environments: readonly Environment[];
}

/** What can be changed about a credential. */
export type CredentialChange = Partial<
  Pick<Credential, 'name' | 'allowedIps' | 'expiresAt' | 'rateLimitPerMinute'>
>;

export interface CredentialStore {
  /** @param fields everything but what the database sets itself */
  insert(fields: Omit<Credential, 'createdAt' | 'tenant'>): Promise<void>;
  find(tenantId: string, id: string): Promise<StoredCredential | undefined>;
  /** As `find`; nobody else can change it until the transaction ends. */
  findForUpdate(tenantId: string, id: string): Promise<StoredCredential | undefined>;
  /** Newest first, up to one more than asked for. */
  list(
    tenantId: string,
    filter: CredentialFilter,
    page: PageRequest,
  ): Promise<readonly StoredCredential[]>;
  update(tenantId: string, id: string, change: CredentialChange): Promise<void>;
  /** Lets it expire after so many seconds, if it does not expire earlier anyway. */
  expireWithin(tenantId: string, id: string, seconds: number): Promise<void>;
  /** Whether another credential has taken over from it. */
  isReplaced(tenantId: string, id: string): Promise<boolean>;
  /** The database's time, by which everything is judged. */
  now(): Promise<Date>;
}

export function createCredentialStore(manager: EntityManager): CredentialStore {
  const credentials = manager.getRepository(Credential);
  const select = (tenantId: string) =>
    credentials
      .createQueryBuilder('c')
      .leftJoin(CredentialUse, 'use', 'use.credentialId = c.id')
      .addSelect('use.usedAt', 'last_used_at')
      .addSelect('use.address', 'last_used_address')
      .addSelect(
        `CASE WHEN ${IS_REVOKED} THEN 'revoked' WHEN ${IS_EXPIRED} THEN 'expired' ELSE 'active' END`,
        'status',
      )
      .where('c.tenantId = :tenantId', { tenantId });

  const find = async (tenantId: string, id: string) =>
    (await read(select(tenantId).andWhere('c.id = :id', { id })))[0];

  return {
    async insert(fields) {
      await credentials.insert(fields);
    },
    find,
    async findForUpdate(tenantId, id) {
      await credentials
        .createQueryBuilder('c')
        .select('c.id')
        .where({ tenantId, id })
        .setLock('pessimistic_write')
        .getOne();
      return find(tenantId, id);
    },
    list(tenantId, { kinds, environments }, { limit, after }) {
      const query = select(tenantId)
        .andWhere('c.kind IN (:...kinds)', { kinds })
        .andWhere('c.environment IN (:...environments)', { environments })
        .orderBy('c.issueSeq', 'DESC')
        .limit(limit + 1);
      if (after !== undefined) query.andWhere('c.issueSeq < :after', { after });
      return read(query);
    },
    async update(tenantId, id, change) {
      if (Object.keys(change).length > 0) await credentials.update({ tenantId, id }, change);
    },
    async expireWithin(tenantId, id, seconds) {
      await credentials
        .createQueryBuilder()
        .update()
        .set({
          expiresAt: () => 'least(expires_at, gatehouse_now() + make_interval(secs => :seconds))',
        })
        .where({ tenantId, id })
        .setParameters({ seconds })
        .execute();
    },
    isReplaced: (tenantId, id) => credentials.existsBy({ tenantId, replaces: id }),
    async now() {
      const [row] = await manager.query<[{ now: Date }]>('SELECT gatehouse_now() AS now');
      return row.now;
    },
  };
}

interface RawUse {
  readonly status: StoredCredential['status'];
  readonly last_used_at: Date | null;
  readonly last_used_address: string | null;
}

async function read(query: SelectQueryBuilder<Credential>): Promise<readonly StoredCredential[]> {
  const { entities, raw } = await query.getRawAndEntities<RawUse>();
  return entities.flatMap((credential, index) => {
    const use = raw[index];
    if (use === undefined) return [];
    const { status, last_used_at: lastUsedAt, last_used_address: lastUsedAddress } = use;
    return [Object.assign({}, credential, { status, lastUsedAt, lastUsedAddress })];
  });
}
