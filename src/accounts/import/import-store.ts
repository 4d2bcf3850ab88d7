import type { EntityManager } from 'typeorm';

import { withFreeExternalId } from '../../http/annotations.js';
import type { ListedAccount } from '../directory/directory-store.js';

/** An account that is there already. */
export interface KnownAccount extends ListedAccount {
  readonly passwordHash: string;
  readonly tenantIds: readonly string[];
}

/** The columns of an account that is written. */
export interface WrittenAccount {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly emailVerified: boolean;
  readonly externalId: string | null;
  readonly metadata: object | null;
  readonly passwordHash: string;
}

export interface NewMembership {
  readonly accountId: string;
  readonly tenantId: string;
  readonly role: string;
}

/** Reads and writes the accounts of a batch, each by one statement. */
export interface ImportStore {
  /** Locks the rows until the transaction ends, in one order for all callers. */
  findKnown(
    emails: readonly string[],
    externalIds: readonly string[],
  ): Promise<readonly KnownAccount[]>;
  /** @returns the ids of tenants by id and by slug */
  findTenants(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** @returns the ids of those that were inserted: an address or an external id may be taken meanwhile */
  insert(accounts: readonly WrittenAccount[]): Promise<ReadonlySet<string>>;
  /** @throws Problem `conflict` if an address or an external id was taken since the rows were read */
  update(accounts: readonly WrittenAccount[]): Promise<void>;
  /** @returns those that were added */
  join(memberships: readonly NewMembership[]): Promise<readonly NewMembership[]>;
  /** Ends the links that set a new password. */
  endPasswordLinks(accountIds: readonly string[]): Promise<void>;
}

const RECORDS = `jsonb_to_recordset($1::jsonb) AS r (id text, email text, name text, "emailVerified" boolean,
  "externalId" text, metadata jsonb, "passwordHash" text)`;

const UPDATE = `
  UPDATE accounts a SET email = r.email, name = r.name, password_hash = r."passwordHash",
    email_verified_at = CASE WHEN r."emailVerified" THEN coalesce(a.email_verified_at, gatehouse_now()) END,
    external_id = r."externalId", metadata = r.metadata
  FROM ${RECORDS} WHERE a.id = r.id`;

const JOIN = `
  INSERT INTO memberships (account_id, tenant_id, role)
  SELECT "accountId", "tenantId", role
  FROM jsonb_to_recordset($1::jsonb) AS r ("accountId" text, "tenantId" text, role text)
  ORDER BY 1, 2 ON CONFLICT DO NOTHING
  RETURNING account_id AS "accountId", tenant_id AS "tenantId", role`;

export function createImportStore(manager: EntityManager): ImportStore {
  return {
    findKnown: (emails, externalIds) =>
      manager.query<KnownAccount[]>(
        `SELECT a.id, a.email, a.name, a.email_verified_at AS "emailVerifiedAt", a.created_at AS "createdAt",
           a.external_id AS "externalId", a.metadata, a.password_hash AS "passwordHash",
           ARRAY(SELECT m.tenant_id FROM memberships m WHERE m.account_id = a.id) AS "tenantIds"
         FROM accounts a WHERE a.email = ANY ($1::text[]) OR a.external_id = ANY ($2::text[])
         ORDER BY a.id FOR NO KEY UPDATE OF a`,
        [emails, externalIds],
      ),
    async findTenants(names) {
      if (names.length === 0) return new Map();
      const rows = await manager.query<{ id: string; slug: string }[]>(
        'SELECT id, slug FROM tenants WHERE id = ANY ($1::text[]) OR slug = ANY ($1::text[])',
        [names],
      );
      // An id comes before a slug that looks like it.
      return new Map([
        ...rows.map(({ id, slug }) => [slug, id] as const),
        ...rows.map(({ id }) => [id, id] as const),
      ]);
    },
    async insert(accounts) {
      if (accounts.length === 0) return new Set();
      // By address, so that two imports of the same accounts wait for each other and do not deadlock.
      const rows = await manager.query<{ id: string }[]>(
        `INSERT INTO accounts (id, email, name, password_hash, email_verified_at, external_id, metadata)
         SELECT id, email, name, "passwordHash", CASE WHEN "emailVerified" THEN gatehouse_now() END,
           "externalId", metadata FROM ${RECORDS} ORDER BY email
         ON CONFLICT DO NOTHING RETURNING id`,
        [JSON.stringify(accounts)],
      );
      return new Set(rows.map(({ id }) => id));
    },
    async update(accounts) {
      if (accounts.length === 0) return;
      const update = () => manager.query(UPDATE, [JSON.stringify(accounts)]);
      const message = 'An address was taken meanwhile: repeat the import.';
      await withFreeExternalId('account', 'of a line', update, { accounts_email_key: message });
    },
    async join(memberships) {
      if (memberships.length === 0) return [];
      return manager.query<NewMembership[]>(JOIN, [JSON.stringify(memberships)]);
    },
    async endPasswordLinks(accountIds) {
      if (accountIds.length === 0) return;
      await manager.query(
        `DELETE FROM account_links WHERE account_id = ANY ($1::text[]) AND purpose = 'password'`,
        [accountIds],
      );
    },
  };
}
