import type { DataSource } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import type { KeyedRows } from '../db/keyed-rows.js';
import { StartupError } from '../db/startup-error.js';
import { KEYED_ROWS } from './keyed-rows.js';

/** The number of valid records that depend on a secret key, by type. */
export interface StoredUnder {
  /** API keys, personal tokens, operator keys and credentials of resource servers. Each moves to the current key when it is next used. */
  readonly digests: number;
  /** Encrypted secrets of credentials that stay readable. */
  readonly ciphertexts: number;
  /** Encrypted idempotent responses, kept for a day at most. */
  readonly rememberedAnswers: number;
  /** OAuth access and refresh tokens, with the answers of open grace windows. They expire after 30 days at most. */
  readonly tokens: number;
  /** Authorization codes and other records that expire within minutes. */
  readonly artifacts: number;
  /** Client secrets and registration tokens. */
  readonly clients: number;
  readonly sessions: number;
  /** Invitations, links in mails, and mail that waits to be sent. They expire after 7 days at most. */
  readonly mail: number;
  /** Encrypted signing keys of id_tokens. Servers reseal them within seconds. */
  readonly signingKeys: number;
}

/** The usage of one key of `SECRET_KEYS`. */
export interface SecretKeyUsage extends StoredUnder {
  readonly id: string;
  /** `current` creates and verifies, `recognised` only verifies, `missing` is needed and not configured. */
  readonly state: 'current' | 'recognised' | 'missing';
}

const SOURCES: readonly (KeyedRows & { readonly counts: keyof StoredUnder })[] = KEYED_ROWS;

const NONE: StoredUnder = {
  digests: 0,
  ciphertexts: 0,
  rememberedAnswers: 0,
  tokens: 0,
  artifacts: 0,
  clients: 0,
  sessions: 0,
  mail: 0,
  signingKeys: 0,
};

/** Counts the records that depend on each key, both configured and missing ones. */
export async function countSecretKeyUsage(
  dataSource: DataSource,
  keyring: Keyring,
): Promise<readonly SecretKeyUsage[]> {
  const usages = new Map<string, StoredUnder>(keyring.ids.map((id) => [id, NONE]));
  for (const { counts, table, column, condition } of SOURCES) {
    const rows = await dataSource.query<{ id: string; count: string }[]>(
      `SELECT ${column} AS id, count(*) AS count FROM ${table}
       WHERE ${column} IS NOT NULL AND ${condition} GROUP BY ${column}`,
    );
    for (const { id, count } of rows) {
      const usage = usages.get(id) ?? NONE;
      usages.set(id, { ...usage, [counts]: usage[counts] + Number(count) });
    }
  }
  return [...usages].map(([id, usage]) => {
    const position = keyring.ids.indexOf(id);
    const state = position === 0 ? 'current' : position > 0 ? 'recognised' : 'missing';
    return { id, state, ...usage };
  });
}

/**
 * Checks that every valid record's key is configured. Otherwise valid credentials would be refused as unknown.
 *
 * @throws StartupError with the ids of the missing keys
 */
export async function assertSecretKeysPresent(
  dataSource: DataSource,
  keyring: Keyring,
): Promise<void> {
  const missing = new Set<string>();
  for (const { table, column, condition, isExpendable } of SOURCES) {
    if (isExpendable) continue;
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

/** Lists distinct values by a loose index scan, since the table may hold millions of rows. */
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
