import type { EntityManager } from 'typeorm';

/** An identity at a provider: its issuer and subject, which never change (OIDC Core §5.7). */
export interface IdentityId {
  readonly issuer: string;
  readonly subject: string;
}

/** An identity that an account signs in with. */
export interface LinkedIdentity extends IdentityId {
  /** The address that the provider told at the time. */
  readonly email: string | null;
  readonly createdAt: Date;
}

/** Identities of providers and the accounts that they sign in to. An account has one of each provider. */
export interface IdentityLinks {
  /** @returns the account's id */
  find(identity: IdentityId): Promise<string | undefined>;
  /** Waits for a concurrent sign-in with the same identity, until the transaction ends. */
  takeTurn(identity: IdentityId): Promise<void>;
  /** @returns false if the identity is linked, or the account has another one of the provider */
  create(identity: IdentityId, accountId: string, email: string | null): Promise<boolean>;
  listOf(accountId: string): Promise<readonly LinkedIdentity[]>;
  deleteAllOf(accountId: string): Promise<void>;
  /** @returns false if there is none */
  delete(accountId: string, issuer: string): Promise<boolean>;
}

/** @param manager may belong to a transaction */
export function createIdentityLinks(manager: EntityManager): IdentityLinks {
  return {
    async find({ issuer, subject }) {
      const [row] = await manager.query<{ accountId: string }[]>(
        `SELECT account_id AS "accountId" FROM identity_links WHERE issuer = $1 AND subject = $2`,
        [issuer, subject],
      );
      return row?.accountId;
    },
    async takeTurn({ issuer, subject }) {
      await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `identity ${JSON.stringify([issuer, subject])}`,
      ]);
    },
    async create({ issuer, subject }, accountId, email) {
      const rows = await manager.query<object[]>(
        `INSERT INTO identity_links (issuer, subject, account_id, email) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING 1`,
        [issuer, subject, accountId, email],
      );
      return rows.length === 1;
    },
    listOf: (accountId) =>
      manager.query<LinkedIdentity[]>(
        `SELECT issuer, subject, email, created_at AS "createdAt" FROM identity_links
         WHERE account_id = $1 ORDER BY created_at, issuer`,
        [accountId],
      ),
    async deleteAllOf(accountId) {
      await manager.query('DELETE FROM identity_links WHERE account_id = $1', [accountId]);
    },
    async delete(accountId, issuer) {
      const [, rows] = await manager.query<[unknown, number]>(
        'DELETE FROM identity_links WHERE account_id = $1 AND issuer = $2',
        [accountId, issuer],
      );
      return rows > 0;
    },
  };
}
