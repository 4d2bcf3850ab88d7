import type { EntityManager } from 'typeorm';

import type { Keyring, SecretFormat } from '../../credentials/index.js';
import { inBatches } from '../../db/batches.js';

/** `password`: sets a new password. `email`: confirms the address that the link was sent to. */
export type LinkPurpose = 'password' | 'email';

/** The account of a link, and the address that the link was sent to. */
export interface LinkedAccount {
  readonly accountId: string;
  readonly email: string;
}

/** Links that are sent to the address of an account. Each works once. Only a keyed digest of its secret is stored. */
export interface AccountLinks {
  /** @returns the secret of the link */
  create(purpose: LinkPurpose, account: LinkedAccount): Promise<string>;
  /** Finds the account of a link that can still be used, without using it. */
  find(purpose: LinkPurpose, secret: string): Promise<LinkedAccount | undefined>;
  /** Uses a link. All links of the account for the same purpose end. Exactly one of concurrent calls gets the account. */
  consume(purpose: LinkPurpose, secret: string): Promise<LinkedAccount | undefined>;
  /** Ends all links of an account for a purpose. */
  endAllOf(accountId: string, purpose: LinkPurpose): Promise<void>;
}

export const LINK_SECONDS: Readonly<Record<LinkPurpose, number>> = {
  password: 3600,
  email: 7 * 86_400,
};

/** Prefixes of the secrets. They are not credentials of the API. */
const PREFIXES: Readonly<Record<LinkPurpose, string>> = { password: 'lpw', email: 'lem' };

/** @param manager may belong to a transaction */
export function createAccountLinks(
  manager: EntityManager,
  keyring: Keyring,
  format: SecretFormat,
): AccountLinks {
  const isWritten = (purpose: LinkPurpose, secret: string) =>
    format.read(PREFIXES[purpose], secret) !== undefined;
  return {
    async create(purpose, { accountId, email }) {
      const secret = format.mint(PREFIXES[purpose]);
      const { digest, keyId } = keyring.digest(secret);
      await manager.query(
        `INSERT INTO account_links (digest, digest_key_id, purpose, account_id, email, expires_at)
         VALUES ($1, $2, $3, $4, $5, gatehouse_now() + make_interval(secs => $6))`,
        [digest, keyId, purpose, accountId, email, LINK_SECONDS[purpose]],
      );
      return secret;
    },
    async find(purpose, secret) {
      if (!isWritten(purpose, secret)) return undefined;
      const [row] = await manager.query<LinkedAccount[]>(
        `SELECT account_id AS "accountId", email FROM account_links
         WHERE digest = ANY ($1) AND purpose = $2 AND expires_at > gatehouse_now()`,
        [keyring.digests(secret), purpose],
      );
      return row;
    },
    async consume(purpose, secret) {
      if (!isWritten(purpose, secret)) return undefined;
      const [row] = await manager.query<LinkedAccount[]>(
        `WITH used AS (
           DELETE FROM account_links
           WHERE digest = ANY ($1) AND purpose = $2 AND expires_at > gatehouse_now()
           RETURNING account_id AS "accountId", email)
         SELECT * FROM used`,
        [keyring.digests(secret), purpose],
      );
      if (row !== undefined) await this.endAllOf(row.accountId, purpose);
      return row;
    },
    endAllOf: (accountId, purpose) => endLinksOf(manager, accountId, purpose),
  };
}

/** Ends all links of an account for a purpose. */
export async function endLinksOf(
  manager: EntityManager,
  accountId: string,
  purpose: LinkPurpose,
): Promise<void> {
  await manager.query('DELETE FROM account_links WHERE account_id = $1 AND purpose = $2', [
    accountId,
    purpose,
  ]);
}

/** Ends links that were sent before a time. @returns how many worked */
export async function endLinksSentBefore(manager: EntityManager, time: Date): Promise<number> {
  const [{ count }] = await manager.query<[{ count: number }]>(
    `WITH ended AS (DELETE FROM account_links WHERE created_at < $1 RETURNING expires_at)
     SELECT count(*)::int AS count FROM ended WHERE expires_at > gatehouse_now()`,
    [time],
  );
  return count;
}

/** Deletes links whose time is over, a bounded number at a time. @returns the number of rows */
export function deleteExpiredLinks(manager: EntityManager, signal?: AbortSignal): Promise<number> {
  return inBatches(async (limit) => {
    const [, rows] = await manager.query<[unknown, number]>(
      `DELETE FROM account_links WHERE digest IN (SELECT digest FROM account_links
         WHERE expires_at <= gatehouse_now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
    return rows;
  }, signal);
}
