import type { EntityManager } from 'typeorm';

import { BEHIND_ALL_IDS, createId } from '../db/id.js';
import { prepared } from '../db/prepared.js';
import { rowsToFetch } from '../db/space-rows.js';
import { ADMINISTRATOR_NAMES, type Role } from '../scopes/roles.js';
import { Account } from './account.entity.js';
import { Membership } from './membership.entity.js';
import { type AccountMembership, findMembership, listMemberships } from './account-memberships.js';
import { hashPassword, markOf, NO_PASSWORD } from './password.js';

/** The account's members that a sign-in needs. */
export type AccountToSignIn = Readonly<Pick<Account, 'id' | 'email' | 'name' | 'passwordHash'>>;

/** A member of a tenant. */
export interface Member {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly createdAt: Date;
}

export interface AccountStore {
  find(id: string): Promise<Account | undefined>;
  findByEmail(email: string): Promise<Account | undefined>;
  /**
   * Creates an account.
   * @param fields the plain password, of which only the argon2id hash is stored, or that hash: hashing is slow and needs
   *   no transaction
   */
  create(
    fields: { readonly email: string; readonly name: string | null } & (
      { readonly password: string } | { readonly passwordHash: string }
    ),
  ): Promise<Account>;
  /**
   * Creates an account whose owner proved the address, without a password.
   * @returns `undefined` if another account has the address
   */
  createProven(fields: {
    readonly email: string;
    readonly name: string | null;
  }): Promise<Account | undefined>;
  /** Records that the owner receives mail at the address (`email_verified`). */
  confirmEmail(accountId: string): Promise<void>;
  /** As `findByEmail`, with facts of the database. */
  findToSignIn(email: string): Promise<{
    readonly account: AccountToSignIn | undefined;
    /** The time by which cookies of known browsers expire, in seconds since the epoch. */
    readonly now: number;
    /** The imported hash that takes longest to check, if accounts have such hashes. */
    readonly costliest: string | undefined;
  }>;
  /** Replaces the hash by another one of the same password, unless the password was changed meanwhile. */
  renewHash(account: Pick<Account, 'id' | 'passwordHash'>, renewed: string): Promise<void>;
  /** Whether the account still has the password of this mark. Waits for a concurrent change. */
  hasPassword(accountId: string, mark: string): Promise<boolean>;
  /** @returns false if the account is a member already */
  join(tenantId: string, accountId: string, role: Role): Promise<boolean>;
  /** @returns false if the account is not a member */
  setRole(tenantId: string, accountId: string, role: Role): Promise<boolean>;
  /**
   * Deletes a membership. The caller must first revoke its subject (`usr_…@tnt_…`) in the same transaction.
   * @returns false if the account is not a member
   */
  leave(tenantId: string, accountId: string): Promise<boolean>;
  findMembership(tenantId: string, accountId: string): Promise<AccountMembership | undefined>;
  /**
   * The memberships of an account, by the tenant's name in natural order, including suspended tenants. Of more than
   * `MAX_LISTED_MEMBERSHIPS` those in the newest tenants.
   *
   * @param named the id or the slug of a tenant, untrusted. A membership there is always listed
   */
  listMemberships(accountId: string, named?: string): Promise<readonly AccountMembership[]>;
  /** A tenant's members, newest account first: up to `limit`, after the account `after`. */
  listMembers(
    tenantId: string,
    page: { limit: number; after?: string | undefined },
  ): Promise<readonly Member[]>;
  /** The names of a tenant's administrators, or their addresses, longest a member first. */
  listAdministrators(tenantId: string, limit: number): Promise<readonly string[]>;
}

/** The form in which email addresses are stored and compared. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

export function createAccountStore(manager: EntityManager): AccountStore {
  return { ...createAccounts(manager), ...createMemberships(manager) };
}

function createAccounts(manager: EntityManager): Omit<AccountStore, keyof Memberships> {
  const accounts = manager.getRepository(Account);
  return {
    async find(id) {
      return (await accounts.findOneBy({ id })) ?? undefined;
    },
    async findByEmail(email) {
      return (await accounts.findOneBy({ email: normalizeEmail(email) })) ?? undefined;
    },
    async create({ email, name, ...secret }) {
      const id = createId('usr');
      const passwordHash =
        'password' in secret ? await hashPassword(secret.password) : secret.passwordHash;
      await accounts.insert({ id, email: normalizeEmail(email), name, passwordHash });
      return accounts.findOneByOrFail({ id });
    },
    createProven: (fields) => createProven(manager, fields),
    async confirmEmail(accountId) {
      await manager.query(
        `UPDATE accounts SET email_verified_at = gatehouse_now()
         WHERE id = $1 AND email_verified_at IS NULL`,
        [accountId],
      );
    },
    async findToSignIn(email) {
      // PostgreSQL text cannot contain NUL.
      const address = email.includes('\0') ? '' : normalizeEmail(email);
      type Row = { now: string; costliest: string | null } & (AccountToSignIn | { id: null });
      const [row] = await manager.query<[Row]>(
        `SELECT extract(epoch FROM gatehouse_now())::bigint AS now, a.id, a.email, a.name,
           a.password_hash AS "passwordHash",
           (SELECT password_hash FROM accounts WHERE password_hash LIKE '~%'
            ORDER BY password_hash COLLATE "C" DESC LIMIT 1) AS costliest
         FROM (VALUES (1)) AS one LEFT JOIN accounts a ON a.email = $1`,
        [address],
      );
      const { now, costliest, ...found } = row;
      return {
        account: found.id === null ? undefined : found,
        now: Number(now),
        costliest: costliest ?? undefined,
      };
    },
    async renewHash({ id, passwordHash }, renewed) {
      await accounts.update({ id, passwordHash }, { passwordHash: renewed });
    },
    async hasPassword(id, mark) {
      const [row] = await manager.query<{ hash: string }[]>(
        'SELECT password_hash AS hash FROM accounts WHERE id = $1 FOR SHARE',
        [id],
      );
      return row !== undefined && markOf(row.hash) === mark;
    },
  };
}

async function createProven(
  manager: EntityManager,
  { email, name }: Parameters<AccountStore['createProven']>[0],
): Promise<Account | undefined> {
  const id = createId('usr');
  await manager.query(
    `INSERT INTO accounts (id, email, name, password_hash, email_verified_at)
     VALUES ($1, $2, $3, $4, gatehouse_now()) ON CONFLICT (email) DO NOTHING`,
    [id, normalizeEmail(email), name, NO_PASSWORD],
  );
  return (await manager.findOneBy(Account, { id })) ?? undefined;
}

type Memberships = Pick<
  AccountStore,
  | 'join'
  | 'setRole'
  | 'leave'
  | 'findMembership'
  | 'listMemberships'
  | 'listMembers'
  | 'listAdministrators'
>;

function createMemberships(manager: EntityManager): Memberships {
  const memberships = manager.getRepository(Membership);
  return {
    async join(tenantId, accountId, role) {
      const inserted = await memberships
        .createQueryBuilder()
        .insert()
        .values({ tenantId, accountId, role })
        .orIgnore()
        .returning('role')
        .execute();
      return inserted.raw.length > 0;
    },
    async setRole(tenantId, accountId, role) {
      return (await memberships.update({ tenantId, accountId }, { role })).affected === 1;
    },
    async leave(tenantId, accountId) {
      return (await memberships.delete({ tenantId, accountId })).affected === 1;
    },
    findMembership: (tenantId, accountId) => findMembership(manager, tenantId, accountId),
    listMemberships: (accountId, named) => listMemberships(manager, accountId, named),
    listMembers: (tenantId, { limit, after }) => listMembers(manager, tenantId, { limit, after }),
    async listAdministrators(tenantId, limit) {
      const values = [tenantId, limit, ADMINISTRATOR_NAMES];
      const rows = await prepared(manager)<{ name: string }>(ADMINISTRATORS, values);
      return rows.map(({ name }) => name);
    },
  };
}

/** The index of administrators has their order. */
const ADMINISTRATORS = {
  name: 'list-administrators',
  text: `SELECT coalesce(a.name, a.email) AS name
    FROM unnest($3::text[]) AS name
      CROSS JOIN LATERAL (SELECT account_id, created_at FROM memberships
        WHERE tenant_id = $1 AND role = name
        ORDER BY created_at, account_id LIMIT $2) AS m
      JOIN accounts a ON a.id = m.account_id
    ORDER BY m.created_at, m.account_id LIMIT $2`,
};

async function listMembers(
  manager: EntityManager,
  tenantId: string,
  { limit, after }: { readonly limit: number; readonly after?: string | undefined },
): Promise<readonly Member[]> {
  const fetched = rowsToFetch(limit - 1);
  // The condition is `tenant_id = $1` in other words (perf: decision 21).
  const rows = await prepared(manager)<Member>(
    {
      name: `list-members-${fetched}`,
      text: `SELECT a.id, a.email, a.name, m.role, m.created_at AS "createdAt"
        FROM (SELECT account_id, role, created_at FROM memberships
          WHERE tenant_id >= $1 AND (tenant_id, account_id) < ($1, $2)
          ORDER BY tenant_id DESC, account_id DESC LIMIT ${fetched}) AS m
          JOIN accounts a ON a.id = m.account_id
        ORDER BY m.account_id DESC`,
    },
    [tenantId, after ?? BEHIND_ALL_IDS],
  );
  return rows.slice(0, limit);
}
