import type { KeyedRows } from '../db/keyed-rows.js';
import { ClientBlock } from './client-block.entity.js';
import { Client } from './client.entity.js';

export const CLIENT_ENTITIES = [Client, ClientBlock];

export const CLIENT_KEYED_ROWS = [
  {
    counts: 'clients',
    table: 'clients',
    column: 'secret_digest_key_id',
    condition: 'true',
  },
  {
    counts: 'clients',
    table: 'clients',
    column: 'registration_digest_key_id',
    condition: 'true',
  },
] as const satisfies readonly KeyedRows[];
