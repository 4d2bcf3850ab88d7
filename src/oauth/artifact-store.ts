import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/keyring.js';
import { inBatches } from '../db/batches.js';
import type { RunPrepared } from '../db/prepared.js';

/** What the protocol keeps for minutes. */
export type ArtifactKind = 'AuthorizationCode' | 'Interaction';

export interface Artifact {
  readonly payload: Readonly<Record<string, unknown>>;
  /** What is left of its life by the database's clock. */
  readonly remainingSeconds: number;
}

/** Rows are found by the digest of a secret that only its holder has. */
export interface ArtifactStore {
  /** Stores one anew, or another payload of one that is there. */
  save(
    kind: ArtifactKind,
    secret: string,
    payload: object,
    options: { readonly grantId?: string | undefined; readonly seconds: number },
  ): Promise<void>;
  /** @returns `undefined` if there is none, or no longer */
  find(kind: ArtifactKind, secret: string): Promise<Artifact | undefined>;
  destroy(kind: ArtifactKind, secret: string): Promise<void>;
}

const SAVE = {
  name: 'artifact-save',
  text: `
    WITH updated AS (
      UPDATE oauth_artifacts SET payload = $4 WHERE digest = ANY ($7::text[]) AND kind = $3 RETURNING 1)
    INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, grant_id, expires_at)
    SELECT $1, $2, $3, $4::jsonb, $5, gatehouse_now() + make_interval(secs => $6)
    WHERE NOT EXISTS (SELECT FROM updated)`,
};
const FIND = {
  name: 'artifact-find',
  text: `
    SELECT payload, extract(epoch FROM expires_at - gatehouse_now())::float8 AS remaining
    FROM oauth_artifacts
    WHERE digest = ANY ($1::text[]) AND kind = $2 AND expires_at > gatehouse_now()`,
};
const DESTROY = {
  name: 'artifact-destroy',
  text: `DELETE FROM oauth_artifacts WHERE digest = ANY ($1::text[]) AND kind = $2`,
};

export function createArtifactStore(run: RunPrepared, keyring: Keyring): ArtifactStore {
  return {
    async save(kind, secret, payload, { grantId, seconds }) {
      const { digest, keyId } = keyring.digest(secret);
      const values = [digest, keyId, kind, JSON.stringify(payload), grantId ?? null, seconds];
      await run(SAVE, [...values, keyring.digests(secret)]);
    },
    async find(kind, secret) {
      const [row] = await run<{ payload: Record<string, unknown>; remaining: number }>(FIND, [
        keyring.digests(secret),
        kind,
      ]);
      return row && { payload: row.payload, remainingSeconds: row.remaining };
    },
    async destroy(kind, secret) {
      await run(DESTROY, [keyring.digests(secret), kind]);
    },
  };
}

/** Deletes the authorizations that waited for their user in vain: anybody can begin one. */
export function deleteExpiredInteractions(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<void> {
  return inBatches(async (limit) => {
    const [row] = await manager.query<[{ count: number }]>(
      `WITH expired AS (
         DELETE FROM oauth_artifacts WHERE (digest, expires_at) IN (
           SELECT digest, expires_at FROM oauth_artifacts
           WHERE kind = 'Interaction' AND expires_at <= gatehouse_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM expired`,
      [limit],
    );
    return row.count;
  }, signal);
}
