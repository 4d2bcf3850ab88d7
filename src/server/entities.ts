import { Account } from '../accounts/account.entity.js';
import { Membership } from '../accounts/membership.entity.js';
import { ClientBlock } from '../clients/client-block.entity.js';
import { Client } from '../clients/client.entity.js';
import { CredentialUse } from '../credentials/store/credential-use.entity.js';
import { Credential } from '../credentials/store/credential.entity.js';
import { ImportedPattern } from '../credentials/verification/imported-pattern.entity.js';
import { ImportedPrefix } from '../credentials/verification/imported-prefix.entity.js';
import { Revocation } from '../credentials/revocation/revocation.entity.js';
import { Consent } from '../grants/consent.entity.js';
import { Grant } from '../grants/grant.entity.js';
import { Attempt } from '../rate-limits/attempt.entity.js';
import { IdempotencyRecord } from '../http/idempotency/idempotency.entity.js';
import { Session } from '../sessions/session.entity.js';
import { SigningKey } from '../signing-keys/signing-key.entity.js';
import { Space } from '../spaces/space.entity.js';
import { Tenant } from '../tenants/tenant.entity.js';

/** The tables that TypeORM knows. Contacts, products, rate windows and the partitioned tables are read by SQL alone. */
export const ENTITIES = [
  Account,
  Attempt,
  Client,
  ClientBlock,
  Consent,
  Credential,
  CredentialUse,
  Grant,
  IdempotencyRecord,
  Membership,
  ImportedPattern,
  ImportedPrefix,
  Revocation,
  Session,
  SigningKey,
  Space,
  Tenant,
];
