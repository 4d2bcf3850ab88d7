import { Account } from './accounts/account.entity.js';
import { Membership } from './accounts/membership.entity.js';
import { AuditEntry } from './audit/audit-entry.entity.js';
import { Contact } from './contacts/contact.entity.js';
import { CredentialUse } from './credentials/credential-use.entity.js';
import { Credential } from './credentials/credential.entity.js';
import { Revocation } from './credentials/revocation.entity.js';
import { IdempotencyRecord } from './http/idempotency.entity.js';
import { Space } from './tenants/space.entity.js';
import { Tenant } from './tenants/tenant.entity.js';

/** Everything that is stored. */
export const ENTITIES = [
  Account,
  AuditEntry,
  Contact,
  Credential,
  CredentialUse,
  IdempotencyRecord,
  Membership,
  Revocation,
  Space,
  Tenant,
];
