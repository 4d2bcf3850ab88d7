import type { KeyedRows } from '../db/keyed-rows.js';
import { SigningKey } from './signing-key.entity.js';

export const SIGNING_KEY_ENTITIES = [SigningKey];

export const SIGNING_KEY_KEYED_ROWS = [
  {
    counts: 'signingKeys',
    table: 'signing_keys',
    column: 'ciphertext_key_id',
    condition: `(ends_at IS NULL OR ends_at > gatehouse_now())`,
  },
] as const satisfies readonly KeyedRows[];
