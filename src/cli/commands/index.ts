import type { Command } from '../command.js';
import type { Groups } from '../program.js';
import { ACCOUNT_COMMANDS } from './accounts.js';
import { KEY_COMMANDS } from './api-keys.js';
import { AUDIT_COMMANDS } from './audit.js';
import { CATALOG_COMMANDS } from './catalog.js';
import { CLIENT_COMMANDS } from './clients.js';
import { COMPLETION_COMMAND } from './completion.js';
import { CREDENTIAL_COMMANDS } from './credentials.js';
import { GRANT_COMMANDS } from './grants.js';
import { MIGRATE_COMMAND } from './migrate.js';
import { OPERATOR_KEY_COMMANDS } from './operator-keys.js';
import { PRODUCT_COMMANDS } from './products.js';
import { RESOURCE_COMMANDS } from './resources.js';
import { SECRET_KEY_COMMANDS } from './secret-keys.js';
import { SIGNING_KEY_COMMANDS } from './signing-keys.js';
import { SPACE_COMMANDS } from './spaces.js';
import { TENANT_COMMANDS } from './tenants.js';
import { WEBHOOK_COMMANDS } from './webhooks.js';

/**
 * Every command, in the order of help. Declarations import little: the code that a command runs is loaded when it is
 * called, so that help and completion answer at once.
 */
export const COMMANDS: readonly Command[] = [
  ...TENANT_COMMANDS,
  ...SPACE_COMMANDS,
  ...ACCOUNT_COMMANDS,
  ...KEY_COMMANDS,
  ...CLIENT_COMMANDS,
  ...GRANT_COMMANDS,
  ...RESOURCE_COMMANDS,
  ...OPERATOR_KEY_COMMANDS,
  ...PRODUCT_COMMANDS,
  ...CREDENTIAL_COMMANDS,
  ...AUDIT_COMMANDS,
  ...WEBHOOK_COMMANDS,
  ...SECRET_KEY_COMMANDS,
  ...SIGNING_KEY_COMMANDS,
  ...CATALOG_COMMANDS,
  MIGRATE_COMMAND,
  COMPLETION_COMMAND,
];

/** The nouns that have several commands. */
export const GROUPS: Groups = {
  tenants: 'Tenants: create, list, update, suspend, resume',
  spaces: 'Spaces of a tenant: create, list, rename, update',
  accounts: 'Accounts and their memberships: create, list, update, remove, set-password',
  'api-keys': 'API keys: create, list, show, update, rotate, revoke, import',
  clients: 'OAuth clients: list, show, block, unblock, verify, unverify, revoke',
  grants: 'Grants of users to clients: list, revoke',
  resources: 'Resource servers: add, list, show, update, rotate, remove',
  'operator-keys': "Keys of the operator's API: create, list, rotate, revoke",
  products: 'Products of a tenant: import, list',
  audit: 'Audit log: list, export',
  events: 'Events: list',
  webhooks:
    'Where events are sent: create, list, show, update, deliveries, test, redeliver, rotate, remove',
  'secret-keys': 'SECRET_KEYS: status',
  'signing-keys': 'Signing keys of id_tokens: list, rotate',
  catalog: 'Catalogue of scopes and roles: check, show, schema',
  scopes: 'Scopes of the catalogue: list',
  roles: 'Roles of members: list',
};
