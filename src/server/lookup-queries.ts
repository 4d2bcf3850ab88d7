import { ACCOUNT_QUERIES } from '../accounts/index.js';
import { CLIENT_QUERIES } from '../clients/index.js';
import { VERIFICATION_QUERIES } from '../credentials/index.js';
import { REFRESH_QUERIES } from '../grants/index.js';
import { OPERATOR_QUERIES } from '../operator-keys/index.js';
import { SERVER_QUERIES } from '../resource-servers/index.js';
import { SPACE_QUERIES } from '../spaces/index.js';

/** The queries of batched lookups, by their names. */
export const LOOKUP_QUERIES = {
  ...VERIFICATION_QUERIES,
  ...CLIENT_QUERIES,
  ...ACCOUNT_QUERIES,
  ...REFRESH_QUERIES,
  ...SPACE_QUERIES,
  ...SERVER_QUERIES,
  ...OPERATOR_QUERIES,
};
