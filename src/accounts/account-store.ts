import { hash } from '@node-rs/argon2';
import type { EntityManager } from 'typeorm';

import { createId } from '../db/id.js';
import type { Role } from '../scopes/roles.js';
import { Account } from './account.entity.js';
import { Membership } from './membership.entity.js';

/** A member of a tenant. */
export interface Member {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly createdAt: Date;
}

export interface AccountStore {
  findByEmail(email: string): Promise<Account | undefined>;
  /**
   * A new account.
   * @param fields the password as it was chosen; only its argon2id hash is kept
   */
  create(fields: { email: string; name: string | null; password: string }): Promise<Account>;
  /** @returns false if the account is a member already */
  join(tenantId: string, accountId: string, role: Role): Promise<boolean>;
  /** A tenant's members, by email. */
  listMembers(tenantId: string): Promise<readonly Member[]>;
}

/** The form in which email addresses are stored and compared. */
function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

export function createAccountStore(manager: EntityManager): AccountStore {
  const accounts = manager.getRepository(Account);
  const memberships = manager.getRepository(Membership);
  return {
    async findByEmail(email) {
      return (await accounts.findOneBy({ email: normalizeEmail(email) })) ?? undefined;
    },
    async create({ email, name, password }) {
      const id = createId('usr');
      const passwordHash = await hash(password);
      await accounts.insert({ id, email: normalizeEmail(email), name, passwordHash });
      return accounts.findOneByOrFail({ id });
    },
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
    async listMembers(tenantId) {
      const found = await memberships.find({
        where: { tenantId },
        relations: { account: true },
        order: { account: { email: 'ASC' } },
      });
      return found.flatMap(({ account, role, createdAt }) =>
        account
          ? [{ id: account.id, email: account.email, name: account.name, role, createdAt }]
          : [],
      );
    },
  };
}
