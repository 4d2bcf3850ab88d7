import type { KeyedRows } from '../db/keyed-rows.js';

/** Signing secrets are encrypted. Servers reseal them within a minute. */
export const WEBHOOK_KEYED_ROWS = [
  {
    counts: 'ciphertexts',
    table: 'webhooks',
    column: 'ciphertext_key_id',
    condition: 'true',
  },
] as const satisfies readonly KeyedRows[];
