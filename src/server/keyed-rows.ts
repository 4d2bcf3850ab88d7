import { ACCOUNT_KEYED_ROWS } from '../accounts/tables.js';
import { CLIENT_KEYED_ROWS } from '../clients/tables.js';
import { CONSOLE_KEYED_ROWS } from '../console/tables.js';
import { CREDENTIAL_KEYED_ROWS } from '../credentials/tables.js';
import { GRANT_KEYED_ROWS } from '../grants/tables.js';
import { IDEMPOTENCY_KEYED_ROWS } from '../http/idempotency/tables.js';
import { MAIL_KEYED_ROWS } from '../mail/tables.js';
import { OPERATOR_KEYED_ROWS } from '../operator-keys/tables.js';
import { SERVER_KEYED_ROWS } from '../resource-servers/tables.js';
import { SESSION_KEYED_ROWS } from '../sessions/tables.js';
import { SIGNING_KEY_KEYED_ROWS } from '../signing-keys/tables.js';
import { WEBHOOK_KEYED_ROWS } from '../webhooks/tables.js';

/** The rows that depend on `SECRET_KEYS`. */
export const KEYED_ROWS = [
  ...CREDENTIAL_KEYED_ROWS,
  ...SERVER_KEYED_ROWS,
  ...OPERATOR_KEYED_ROWS,
  ...IDEMPOTENCY_KEYED_ROWS,
  ...GRANT_KEYED_ROWS,
  ...CLIENT_KEYED_ROWS,
  ...SESSION_KEYED_ROWS,
  ...ACCOUNT_KEYED_ROWS,
  ...MAIL_KEYED_ROWS,
  ...WEBHOOK_KEYED_ROWS,
  ...CONSOLE_KEYED_ROWS,
  ...SIGNING_KEY_KEYED_ROWS,
];
