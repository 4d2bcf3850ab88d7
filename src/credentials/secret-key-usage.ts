import type { DataSource } from 'typeorm';

import { StartupError } from '../db/startup-error.js';
import type { Keyring } from './keyring.js';
import { IS_EXPIRED, IS_REVOKED } from './verdict-sql.js';

/** What is stored under secret keys, and how much of it. Only what is still good counts. */
export interface StoredUnder {
  /** API keys and personal tokens. Each moves to the current key when it is next used. */
  readonly digests: number;
  /** Credentials that stay readable, encrypted under it. */
  readonly ciphertexts: number;
  /** Remembered answers, encrypted under it; they are kept for a day at most. */
  readonly rememberedAnswers: number;
  /** Access and refresh tokens of OAuth, with the answers of open grace windows. They expire, after 30 days at most. */
  readonly tokens: number;
  /** Codes and whatever else of OAuth lives for minutes. */
  readonly artifacts: number;
  /** Client secrets and registration tokens. */
  readonly clients: number;
  readonly sessions: number;
  /** Keys that sign id_tokens, encrypted under it. Servers move them within seconds. */
  readonly signingKeys: number;
}

/** How much depends on one key of `SECRET_KEYS`. */
export interface SecretKeyUsage extends StoredUnder {
  readonly id: string;
  /** `current` makes, `recognised` only recognises, `missing` is needed and not configured. */
  readonly state: 'current' | 'recognised' | 'missing';
}

interface Source {
  readonly counts: keyof StoredUnder;
  readonly table: string;
  /** Holds the id of the key; there has to be an index on it, unless the loss would not matter. */
  readonly column: string;
  /** What is still good, of the rows that have such an id. */
  readonly condition: string;
  /** Nobody would miss it: it is over before an operator could mend anything. */
  readonly isExpendable?: true;
}

const IS_GOOD = `NOT ${IS_REVOKED} AND NOT ${IS_EXPIRED}`;
const IS_UNDER_GOOD_GRANT = `EXISTS (
  SELECT FROM grants c WHERE c.id = token.grant_id AND NOT ${IS_REVOKED})`;

const SOURCES: readonly Source[] = [
  {
    ...{ counts: 'digests', table: 'credentials c', column: 'digest_key_id' },
    condition: IS_GOOD,
  },
  {
    ...{ counts: 'ciphertexts', table: 'credentials c', column: 'ciphertext_key_id' },
    condition: IS_GOOD,
  },
  {
    ...{ counts: 'rememberedAnswers', table: 'idempotency_records', column: 'body_key_id' },
    condition: `created_at > gatehouse_now() - interval '24 hours'`,
  },
  {
    ...{ counts: 'tokens', table: 'access_tokens c', column: 'digest_key_id' },
    condition: IS_GOOD,
  },
  {
    ...{ counts: 'tokens', table: 'refresh_tokens token', column: 'digest_key_id' },
    condition: `expires_at > gatehouse_now() AND consumed_at IS NULL AND ${IS_UNDER_GOOD_GRANT}`,
  },
  {
    ...{ counts: 'artifacts', table: 'oauth_artifacts', column: 'digest_key_id' },
    condition: `expires_at > gatehouse_now() AND consumed_at IS NULL`,
    isExpendable: true,
  },
  {
    ...{ counts: 'clients', table: 'clients', column: 'secret_digest_key_id' },
    condition: 'true',
  },
  {
    ...{ counts: 'clients', table: 'clients', column: 'registration_digest_key_id' },
    condition: 'true',
  },
  {
    ...{ counts: 'sessions', table: 'sessions c', column: 'digest_key_id' },
    condition: IS_GOOD,
  },
  {
    ...{ counts: 'signingKeys', table: 'signing_keys', column: 'ciphertext_key_id' },
    condition: `(ends_at IS NULL OR ends_at > gatehouse_now())`,
  },
];

const NONE: StoredUnder = {
  ...{ digests: 0, ciphertexts: 0, rememberedAnswers: 0, tokens: 0, artifacts: 0 },
  ...{ clients: 0, sessions: 0, signingKeys: 0 },
};

/** Counts what depends on each key: those configured, and those that are needed all the same. */
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
 * Refuses to continue when something that is still good needs a key that isn't configured: its
 * holders would be turned away as if it had never existed.
 *
 * @throws StartupError that names the missing keys
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
