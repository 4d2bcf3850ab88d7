import type { EntityManager } from 'typeorm';

import { BEHIND_ALL_IDS } from '../../db/id.js';
import { prepared } from '../../db/prepared.js';
import { type FoundAnnotated, listAnnotated } from '../../http/annotated-list.js';
import {
  type AnnotationColumns,
  type AnnotationFilter,
  withFreeExternalId,
} from '../../http/annotations.js';
import type { PageRequest } from '../../http/pagination.js';
import { endLinksOf } from '../links/account-links.js';

/** An account as the operator sees it. */
export interface ListedAccount extends AnnotationColumns {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly emailVerifiedAt: Date | null;
  readonly createdAt: Date;
}

/** The columns of a new account. */
export interface AccountRow extends AnnotationColumns {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly passwordHash: string;
  readonly emailVerified: boolean;
}

export interface AccountFilter extends AnnotationFilter {
  readonly email?: string | undefined;
}

export interface DirectoryStore {
  find(id: string): Promise<ListedAccount | undefined>;
  findByExternalId(externalId: string): Promise<ListedAccount | undefined>;
  findByEmail(email: string): Promise<ListedAccount | undefined>;
  /** As `find`, with a lock on the row until the transaction ends. */
  findForUpdate(id: string): Promise<ListedAccount | undefined>;
  /** Newest first, up to one more than requested, after the id `after`. */
  list(page: PageRequest<string>, filter: AccountFilter): Promise<FoundAnnotated<ListedAccount>>;
  /** @returns whether it was inserted; not if the address or the external id is taken */
  insert(row: AccountRow): Promise<boolean>;
  /** @throws Problem `conflict` for an address or an external id that another account has */
  update(account: Omit<AccountRow, 'passwordHash'>): Promise<void>;
  /** Ends the links that set a new password. */
  endPasswordLinks(id: string): Promise<void>;
}

export function addressTaken(email: string): string {
  return `Another account has the address ${email}.`;
}

const COLUMNS = `t.id, t.email, t.name, t.email_verified_at AS "emailVerifiedAt", t.created_at AS "createdAt",
  t.external_id AS "externalId", t.metadata`;

const TABLE = { name: 'accounts', columns: COLUMNS } as const;

const NEWEST_FIRST = { column: 'id', direction: 'DESC', start: BEHIND_ALL_IDS } as const;

const INSERT = {
  name: 'insert-account',
  text: `INSERT INTO accounts (id, email, name, password_hash, email_verified_at, external_id, metadata)
    VALUES ($1, $2, $3, $4, CASE WHEN $5::boolean THEN gatehouse_now() END, $6, $7)
    ON CONFLICT DO NOTHING RETURNING 1`,
};

const UPDATE = {
  name: 'update-account',
  text: `UPDATE accounts SET email = $2, name = $3,
      email_verified_at = CASE WHEN $4::boolean THEN coalesce(email_verified_at, gatehouse_now()) END,
      external_id = $5, metadata = $6
    WHERE id = $1`,
};

export function createDirectoryStore(manager: EntityManager): DirectoryStore {
  const run = prepared(manager);
  const findBy = async (column: string, value: string, lock = '') => {
    const name = `find-account-by-${column}${lock === '' ? '' : '-locked'}`;
    const text = `SELECT ${COLUMNS} FROM accounts t WHERE t.${column} = $1 ${lock}`;
    const [found] = await run<ListedAccount & object>({ name, text }, [value]);
    return found;
  };
  return {
    find: (id) => findBy('id', id),
    findByExternalId: (externalId) => findBy('external_id', externalId),
    findByEmail: (email) => findBy('email', email),
    findForUpdate: (id) => findBy('id', id, 'FOR NO KEY UPDATE'),
    list: (page, { email, ...filter }) =>
      listAnnotated<ListedAccount & object>(manager, TABLE, {
        ...page,
        order: NEWEST_FIRST,
        filter,
        unique: email === undefined ? undefined : { column: 'email', value: email.toLowerCase() },
      }),
    async insert({ id, email, name, passwordHash, emailVerified, externalId, metadata }) {
      const row = [id, email, name, passwordHash, emailVerified, externalId, metadata];
      return (await run(INSERT, row)).length > 0;
    },
    async update({ id, email, name, emailVerified, externalId, metadata }) {
      const row = [id, email, name, emailVerified, externalId, metadata];
      // Another transaction may have taken the address since it was looked up.
      const taken = { accounts_email_key: addressTaken(email) };
      await withFreeExternalId('account', externalId, () => run(UPDATE, row), taken);
    },
    async endPasswordLinks(id) {
      await endLinksOf(manager, id, 'password');
    },
  };
}
