import type { KeyedRows } from '../db/keyed-rows.js';
import { Account } from './account.entity.js';
import { Membership } from './membership.entity.js';

export const ACCOUNT_ENTITIES = [Account, Membership];

/** Links that were sent by mail. They are used once. */
export const ACCOUNT_KEYED_ROWS = [
  {
    counts: 'mail',
    table: 'invitations',
    column: 'digest_key_id',
    condition: 'expires_at > gatehouse_now()',
  },
  {
    counts: 'mail',
    table: 'account_links',
    column: 'digest_key_id',
    condition: 'expires_at > gatehouse_now()',
  },
] as const satisfies readonly KeyedRows[];
