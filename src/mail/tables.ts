import type { KeyedRows } from '../db/keyed-rows.js';

/** Waiting mail is encrypted. */
export const MAIL_KEYED_ROWS = [
  {
    counts: 'mail',
    table: 'outgoing_mail',
    column: 'ciphertext_key_id',
    condition: 'expires_at > gatehouse_now()',
  },
] as const satisfies readonly KeyedRows[];
