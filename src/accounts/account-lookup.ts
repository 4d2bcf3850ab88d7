import {
  type Annotated,
  type Lookup,
  type LookupQueries,
  UNANNOTATED,
} from '../credentials/index.js';
import { serviceUnavailable } from '../http/errors/problem.js';

/** The account's members that userinfo shows. */
export interface AccountFacts {
  readonly email: string;
  readonly name: string | null;
}

/** Batched lookups of accounts by id. Ids need no quoting in an array literal. */
export const ACCOUNT_QUERIES: LookupQueries<'accounts' | 'annotated_accounts'> = {
  annotated_accounts: (ids) => `
    SELECT id, external_id, coalesce(metadata::text, '') FROM accounts WHERE id = ANY (${ids}::text[])`,
  accounts: (ids) => `SELECT id, name, email FROM accounts WHERE id = ANY (${ids}::text[])`,
};

/** @returns a function that finds an account by id; it throws Problem `service_unavailable` */
export function createAccountLookup(lookup: Lookup<'accounts'>) {
  return async (id: string): Promise<AccountFacts | undefined> => {
    try {
      const row = await lookup.find('accounts', [id]);
      return row && { email: row[2], name: row[1] };
    } catch (error) {
      throw serviceUnavailable(error);
    }
  };
}

/** @returns a function that finds an account's external id and metadata; it throws Problem `service_unavailable` */
export function createAnnotationLookup(lookup: Lookup<'annotated_accounts'>) {
  return async (id: string): Promise<Annotated> => {
    try {
      const row = await lookup.find('annotated_accounts', [id]);
      return row === undefined ? UNANNOTATED : { externalId: row[1], metadata: row[2] };
    } catch (error) {
      throw serviceUnavailable(error);
    }
  };
}
