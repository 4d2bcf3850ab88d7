import type { KeyedRows } from '../db/keyed-rows.js';

/** Secrets that wait to be shown once are encrypted. */
export const CONSOLE_KEYED_ROWS = [
  {
    counts: 'artifacts',
    table: 'secret_handovers',
    column: 'ciphertext_key_id',
    condition: 'expires_at > gatehouse_now()',
    isExpendable: true,
  },
] as const satisfies readonly KeyedRows[];
