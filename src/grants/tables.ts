import { IS_REVOKED, IS_VALID } from '../credentials/tables.js';
import type { KeyedRows } from '../db/keyed-rows.js';
import { Consent } from './consent.entity.js';
import { GrantUse } from './grant-use.entity.js';
import { Grant } from './grant.entity.js';

export const GRANT_ENTITIES = [Consent, Grant, GrantUse];

const HAS_VALID_GRANT = `EXISTS (
  SELECT FROM grants c WHERE c.id = token.grant_id AND NOT ${IS_REVOKED})`;

/** The tokens of grants, and the other artifacts of an authorization. */
export const GRANT_KEYED_ROWS = [
  {
    counts: 'tokens',
    table: 'access_tokens c',
    column: 'digest_key_id',
    condition: IS_VALID,
  },
  {
    counts: 'tokens',
    table: 'refresh_tokens token',
    column: 'digest_key_id',
    condition: `expires_at > gatehouse_now() AND consumed_at IS NULL AND ${HAS_VALID_GRANT}`,
  },
  {
    counts: 'artifacts',
    table: 'oauth_artifacts',
    column: 'digest_key_id',
    condition: `expires_at > gatehouse_now() AND consumed_at IS NULL`,
    isExpendable: true,
  },
] as const satisfies readonly KeyedRows[];
