import type { DataSource } from 'typeorm';

import { StartupError } from '../db/startup-error.js';
import type { Keyring } from './keyring.js';
import { IS_EXPIRED, IS_REVOKED } from './verdict-sql.js';

/** How much of what is stored depends on one key of `SECRET_KEYS`. Only what is still good counts. */
export interface SecretKeyUsage {
  readonly id: string;
  /** `current` makes, `recognised` only recognises, `missing` is needed and not configured. */
  readonly state: 'current' | 'recognised' | 'missing';
  /** Credentials that are stored under it. Each moves to the current key when it is next used. */
  readonly digests: number;
  /** Credentials that stay readable, encrypted under it. */
  readonly ciphertexts: number;
  /** Remembered answers, encrypted under it; they are kept for a day. */
  readonly rememberedAnswers: number;
}

const SOURCES = {
  digests: {
    table: 'credentials c',
    column: 'digest_key_id',
    condition: `NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}`,
  },
  ciphertexts: {
    table: 'credentials c',
    column: 'ciphertext_key_id',
    condition: `NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}`,
  },
  rememberedAnswers: {
    table: 'idempotency_records c',
    column: 'body_key_id',
    condition: `c.created_at > gatehouse_now() - interval '24 hours'`,
  },
} as const;

/** Counts what depends on each key: those configured, and those that are needed all the same. */
export async function countSecretKeyUsage(
  dataSource: DataSource,
  keyring: Keyring,
): Promise<readonly SecretKeyUsage[]> {
  const counts = new Map<string, Omit<SecretKeyUsage, 'id' | 'state'>>();
  const none = { digests: 0, ciphertexts: 0, rememberedAnswers: 0 };
  for (const id of keyring.ids) counts.set(id, none);
  for (const [name, { table, column, condition }] of Object.entries(SOURCES)) {
    const rows = await dataSource.query<{ id: string; count: string }[]>(
      `SELECT ${column} AS id, count(*) AS count FROM ${table}
       WHERE ${column} IS NOT NULL AND ${condition} GROUP BY ${column}`,
    );
    for (const { id, count } of rows) {
      counts.set(id, { ...(counts.get(id) ?? none), [name]: Number(count) });
    }
  }
  return [...counts].map(([id, usage]) => {
    const position = keyring.ids.indexOf(id);
    const state = position === 0 ? 'current' : position > 0 ? 'recognised' : 'missing';
    return { id, state, ...usage };
  });
}

/**
 * Refuses to go on when something that is still good needs a key that isn't configured: its
 * holders would be turned away as if it had never existed.
 *
 * @throws StartupError that names the missing keys
 */
export async function assertSecretKeysPresent(
  dataSource: DataSource,
  keyring: Keyring,
): Promise<void> {
  const missing = new Set<string>();
  for (const { table, column, condition } of Object.values(SOURCES)) {
    for (const id of await distinctValues(dataSource, table, column)) {
      if (keyring.ids.includes(id)) continue;
      const rows = await dataSource.query<unknown[]>(
        `SELECT FROM ${table} WHERE ${column} = $1 AND ${condition} LIMIT 1`,
        [id],
      );
      if (rows.length > 0) missing.add(id);
    }
  }
  if (missing.size === 0) return;
  throw new StartupError(
    `Stored data needs a secret key that SECRET_KEYS does not hold (id ${[...missing].join(', ')}): ` +
      'add it behind the first one.',
  );
}

/** Hops from one value to the next along the index: the table may hold millions of rows. */
async function distinctValues(
  dataSource: DataSource,
  table: string,
  column: string,
): Promise<readonly string[]> {
  const rows = await dataSource.query<{ id: string }[]>(
    `WITH RECURSIVE hop (id) AS (
       (SELECT ${column} FROM ${table} WHERE ${column} IS NOT NULL ORDER BY 1 LIMIT 1)
       UNION ALL
       SELECT (SELECT ${column} FROM ${table} WHERE ${column} > hop.id ORDER BY 1 LIMIT 1)
       FROM hop WHERE hop.id IS NOT NULL)
     SELECT id FROM hop WHERE id IS NOT NULL`,
  );
  return rows.map(({ id }) => id);
}
