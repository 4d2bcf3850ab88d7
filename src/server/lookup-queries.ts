import { ACCOUNT_QUERIES } from '../accounts/account-lookup.js';
import { CLIENT_QUERIES } from '../clients/client-authentication.js';
import { VERIFICATION_QUERIES } from '../credentials/verification/verifier.js';
import { REFRESH_QUERIES } from '../grants/refresh-tokens.js';
import { SERVER_QUERIES } from '../resource-servers/server-authentication.js';
import { SPACE_QUERIES } from '../spaces/space-context-resolver.js';

/** The queries of batched lookups, one per family. */
export const LOOKUP_QUERIES = {
  ...VERIFICATION_QUERIES,
  ...CLIENT_QUERIES,
  ...ACCOUNT_QUERIES,
  ...REFRESH_QUERIES,
  ...SPACE_QUERIES,
  ...SERVER_QUERIES,
};
