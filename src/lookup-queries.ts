import { ACCOUNT_QUERIES } from './accounts/account-lookup.js';
import { CLIENT_QUERIES } from './clients/client-authentication.js';
import { VERIFICATION_QUERIES } from './credentials/verifier.js';
import { REFRESH_QUERIES } from './grants/refresh-tokens.js';
import { SPACE_QUERIES } from './spaces/space-lookup.js';

/** Everything that is looked up in batches, a query for each family. */
export const LOOKUP_QUERIES = {
  ...VERIFICATION_QUERIES,
  ...CLIENT_QUERIES,
  ...ACCOUNT_QUERIES,
  ...REFRESH_QUERIES,
  ...SPACE_QUERIES,
};
