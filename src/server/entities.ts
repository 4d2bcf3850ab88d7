import { ACCOUNT_ENTITIES } from '../accounts/tables.js';
import { CLIENT_ENTITIES } from '../clients/tables.js';
import { CREDENTIAL_ENTITIES } from '../credentials/tables.js';
import { GRANT_ENTITIES } from '../grants/tables.js';
import { IDEMPOTENCY_ENTITIES } from '../http/idempotency/tables.js';
import { RATE_LIMIT_ENTITIES } from '../rate-limits/tables.js';
import { SESSION_ENTITIES } from '../sessions/tables.js';
import { SIGNING_KEY_ENTITIES } from '../signing-keys/tables.js';
import { SPACE_ENTITIES } from '../spaces/tables.js';
import { TENANT_ENTITIES } from '../tenants/tables.js';

/** The tables that TypeORM knows. Contacts, products, rate windows and the partitioned tables are read by SQL alone. */
export const ENTITIES = [
  ...ACCOUNT_ENTITIES,
  ...CLIENT_ENTITIES,
  ...CREDENTIAL_ENTITIES,
  ...GRANT_ENTITIES,
  ...IDEMPOTENCY_ENTITIES,
  ...RATE_LIMIT_ENTITIES,
  ...SESSION_ENTITIES,
  ...SIGNING_KEY_ENTITIES,
  ...SPACE_ENTITIES,
  ...TENANT_ENTITIES,
];
