import type { EntityManager } from 'typeorm';

import { prepared } from '../../db/prepared.js';
import type { PageRequest } from '../../http/pagination.js';
import { nameToday } from '../../scopes/catalog.js';
import type { Role } from '../../scopes/roles.js';
import { Credential } from './credential.entity.js';
import { findListed, type CredentialFilter, type FoundCredentials } from './credential-list.js';
import { findWritten, type WrittenKey } from './credential-page.js';
import {
  FIND,
  INSERT,
  LOCK,
  read,
  valuesOf,
  type FoundRow,
  type NewCredential,
  type StoredCredential,
} from './credential-rows.js';
import { IS_EXPIRED, IS_REVOKED, STATUS } from '../verification/verdict-sql.js';

export type { StoredCredential } from './credential-rows.js';

/** The changeable members of a credential. */
export type CredentialChange = Partial<
  Pick<
    Credential,
    'name' | 'allowedIps' | 'expiresAt' | 'rateLimitPerMinute' | 'externalId' | 'metadata'
  >
>;

export interface CredentialStore {
  insert(fields: NewCredential): Promise<void>;
  find(tenantId: string, id: string): Promise<StoredCredential | undefined>;
  /** As `find`, with a lock on the row until the transaction ends. */
  findForUpdate(tenantId: string, id: string): Promise<StoredCredential | undefined>;
  list(tenantId: string, filter: CredentialFilter, page: PageRequest): Promise<FoundCredentials>;
  /** As `list`, as JSON of the API. @returns `undefined` for lists that only `list` reads */
  listWritten(
    tenantId: string,
    filter: CredentialFilter,
    page: PageRequest,
  ): Promise<readonly WrittenKey[] | undefined>;
  update(tenantId: string, id: string, change: CredentialChange): Promise<void>;
  /** Lets another key take the external id of a credential. */
  releaseExternalId(tenantId: string, id: string): Promise<void>;
  /** The same for the credentials that have an external id and have ended. */
  releaseFromEnded(tenantId: string, externalId: string): Promise<void>;
  /** Makes it expire after this number of seconds, unless it expires earlier. */
  expireWithin(tenantId: string, id: string, seconds: number): Promise<void>;
  /** Whether another credential has replaced it. */
  isReplaced(tenantId: string, id: string): Promise<boolean>;
  /** Whether a session of an account is valid now. */
  isSignedIn(accountId: string, sessionId: string): Promise<boolean>;
  /** The current role of an account in the tenant. */
  roleOf(tenantId: string, accountId: string): Promise<Role | undefined>;
  /** The ids among these that are not spaces of the tenant. */
  unknownSpaces(tenantId: string, ids: readonly string[]): Promise<readonly string[]>;
  /** The database's time, which decides about expiry. */
  now(): Promise<Date>;
}

export function createCredentialStore(manager: EntityManager): CredentialStore {
  const credentials = manager.getRepository(Credential);
  const run = prepared(manager);
  const find = async (tenantId: string, id: string) => {
    const [row] = await run<FoundRow>(FIND, [tenantId, id]);
    return row && read(row);
  };

  return {
    async insert(fields) {
      await run(INSERT, valuesOf(fields));
    },
    find,
    async findForUpdate(tenantId, id) {
      await run(LOCK, [tenantId, id]);
      return find(tenantId, id);
    },
    list: (tenantId, filter, page) => findListed(manager, tenantId, filter, page),
    listWritten: (tenantId, filter, page) => findWritten(manager, tenantId, filter, page),
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
    ...createExternalIds(manager),
    ...createFacts(manager),
  };
}

function createExternalIds(
  manager: EntityManager,
): Pick<CredentialStore, 'releaseExternalId' | 'releaseFromEnded'> {
  return {
    async releaseExternalId(tenantId, id) {
      await manager.query(
        `UPDATE credentials SET external_id_released = true
         WHERE tenant_id = $1 AND id = $2 AND external_id IS NOT NULL`,
        [tenantId, id],
      );
    },
    async releaseFromEnded(tenantId, externalId) {
      await manager.query(
        `UPDATE credentials c SET external_id_released = true
         WHERE c.tenant_id = $1 AND c.external_id = $2 AND NOT c.external_id_released
           AND ${STATUS} <> 'active'`,
        [tenantId, externalId],
      );
    },
  };
}

/** The tenant of a key or personal token, for the operator, who knows its id only. */
export async function findTenantOfKey(
  manager: EntityManager,
  id: string,
): Promise<string | undefined> {
  const [found] = await manager.query<{ tenantId: string }[]>(
    'SELECT tenant_id AS "tenantId" FROM credentials WHERE id = $1',
    [id],
  );
  return found?.tenantId;
}

/** Facts that decide about a change, which other tables hold. */
type Facts = Pick<CredentialStore, 'isSignedIn' | 'roleOf' | 'unknownSpaces' | 'now'>;

function createFacts(manager: EntityManager): Facts {
  return {
    async isSignedIn(accountId, sessionId) {
      const [row] = await manager.query<[{ isGood: boolean }]>(
        `SELECT EXISTS (SELECT FROM sessions c WHERE c.id = $1 AND c.account_id = $2
           AND NOT ${IS_EXPIRED} AND NOT ${IS_REVOKED}) AS "isGood"`,
        [sessionId, accountId],
      );
      return row.isGood;
    },
    async roleOf(tenantId, accountId) {
      const [member] = await manager.query<{ role: Role }[]>(
        'SELECT role FROM memberships WHERE tenant_id = $1 AND account_id = $2',
        [tenantId, accountId],
      );
      return member && nameToday(member.role);
    },
    async unknownSpaces(tenantId, ids) {
      const rows = await manager.query<{ id: string }[]>(
        `SELECT id FROM unnest($2::text[]) AS wanted (id)
         WHERE NOT EXISTS (SELECT FROM spaces s WHERE s.id = wanted.id AND s.tenant_id = $1)`,
        [tenantId, ids],
      );
      return rows.map(({ id }) => id);
    },
    async now() {
      const [row] = await manager.query<[{ now: Date }]>('SELECT gatehouse_now() AS now');
      return row.now;
    },
  };
}
