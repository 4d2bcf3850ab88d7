import type { Lookup, LookupQueries } from '../credentials/lookup.js';
import { serviceUnavailable } from '../http/problem.js';

/** What is said of an account to whoever holds a token of it. */
export interface AccountFacts {
  readonly email: string;
  readonly name: string | null;
}

/** Accounts are looked up like credentials, many at once; by their ids, which need no quoting either. */
export const ACCOUNT_QUERIES: LookupQueries<'accounts'> = {
  accounts: (ids) => `SELECT id, name, email FROM accounts WHERE id = ANY (${ids}::text[])`,
};

/** @returns finds an account by an id of ours; throws Problem `service_unavailable` */
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
