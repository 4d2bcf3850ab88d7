import type { RunPrepared } from '../../db/prepared.js';
import type { PublicKey } from './public-keys.js';

/** A client's keys, and where they are published. */
export interface ClientKeys extends Record<string, unknown> {
  readonly jwks: unknown;
  readonly uri: string | null;
  readonly algorithm: string | null;
  /** Keys that were fetched within a day; `null` without any. */
  readonly kept: unknown;
  /** Whether `kept` should be stored again, unless nothing newer was fetched. */
  readonly isOld: boolean;
}

/** Keys of clients, and the last ones that each published and authenticated with, for times when its host is down. */
export interface KeptKeys {
  find(clientId: string): Promise<ClientKeys | undefined>;
  /** Stores keys that a client has just authenticated with, unless they are stored. @param ageSeconds since their fetch */
  keep(clientId: string, client: ClientKeys, keys: Fetched): Promise<void>;
}

interface Fetched {
  readonly keys: readonly PublicKey[];
  readonly ageSeconds: number;
}

/** In a query of its own, because few clients have keys. */
const FIND = {
  name: 'client-keys',
  text: `SELECT metadata->'jwks' AS jwks, metadata->>'jwks_uri' AS uri,
      metadata->>'token_endpoint_auth_signing_alg' AS algorithm, k.keys AS kept,
      coalesce(k.fetched_at < gatehouse_now() - interval '1 hour', true) AS "isOld"
    FROM clients LEFT JOIN client_keys k ON k.client_id = id AND k.jwks_uri = metadata->>'jwks_uri'
      AND k.fetched_at > gatehouse_now() - interval '24 hours'
    WHERE id = $1`,
};
const KEEP = {
  name: 'client-keys-keep',
  text: `INSERT INTO client_keys (client_id, jwks_uri, keys, fetched_at)
    SELECT id, $2, $3::jsonb, gatehouse_now() - make_interval(secs => $4) FROM clients WHERE id = $1
    ON CONFLICT (client_id) DO UPDATE
      SET jwks_uri = excluded.jwks_uri, keys = excluded.keys, fetched_at = excluded.fetched_at`,
};

export function createKeptKeys(run: RunPrepared): KeptKeys {
  return {
    async find(clientId) {
      const [client] = await run<ClientKeys>(FIND, [clientId]);
      return client;
    },
    async keep(clientId, { uri, kept, isOld }, { keys, ageSeconds }) {
      const text = JSON.stringify({ keys });
      if (uri === null || (!isOld && isSame(kept, keys))) return;
      await run(KEEP, [clientId, uri, text, ageSeconds]);
    },
  };
}

/** PostgreSQL stores the members of objects in an order of its own. */
function isSame(kept: unknown, keys: readonly PublicKey[]): boolean {
  const idsOf = (set: unknown) => JSON.stringify(set, (_name, value: unknown) => sorted(value));
  return idsOf(kept) === idsOf({ keys });
}

function sorted(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;
}
