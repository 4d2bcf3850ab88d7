import type { KeyedRows } from '../db/keyed-rows.js';
import { Revocation } from './revocation/revocation.entity.js';
import { CredentialUse } from './store/credential-use.entity.js';
import { Credential } from './store/credential.entity.js';
import { ImportedPattern } from './verification/imported-pattern.entity.js';
import { ImportedPrefix } from './verification/imported-prefix.entity.js';
import { IS_VALID } from './verification/verdict-sql.js';

export const CREDENTIAL_ENTITIES = [
  Credential,
  CredentialUse,
  ImportedPattern,
  ImportedPrefix,
  Revocation,
];

export const CREDENTIAL_KEYED_ROWS = [
  {
    counts: 'digests',
    table: 'credentials c',
    column: 'digest_key_id',
    condition: IS_VALID,
  },
  {
    counts: 'ciphertexts',
    table: 'credentials c',
    column: 'ciphertext_key_id',
    condition: IS_VALID,
  },
] as const satisfies readonly KeyedRows[];

/** SQL conditions for the state of credentials, which queries over several tables share. */
export { IS_EXPIRED, IS_REVOKED, IS_VALID, STATUS } from './verification/verdict-sql.js';
