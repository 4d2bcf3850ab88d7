import { randomBytes } from 'node:crypto';

import type { EntityManager } from 'typeorm';

import type { Keyring } from '../../credentials/index.js';
import { inBatches } from '../../db/batches.js';
import type { RunPrepared } from '../../db/prepared.js';
import { LIFETIMES } from '../lifetimes.js';

/** RFC 9126 §2.2 */
const PREFIX = 'urn:ietf:params:oauth:request_uri:';
const REFERENCE = /^[\w-]{43}$/;

/** Parameters of an authorization request. Repeated ones are arrays. */
export type PushedParameters = Readonly<Record<string, string | string[]>>;

/** Pushed authorization requests. Their URIs work once, over all replicas. Only digests of the URIs are stored. */
export interface PushedRequests {
  /** @returns the `request_uri` */
  readonly insert: (clientId: string, parameters: PushedParameters) => Promise<string>;
  /** @returns `undefined` if it is unknown, used, expired, or was pushed by another client */
  readonly take: (requestUri: string, clientId: string) => Promise<PushedParameters | undefined>;
}

const INSERT = {
  name: 'pushed-insert',
  text: `INSERT INTO pushed_requests (digest, client_id, parameters, expires_at)
    VALUES ($1, $2, $3::jsonb, gatehouse_now() + make_interval(secs => $4))`,
};
/** Exactly one of several concurrent requests deletes the row. */
const TAKE = {
  name: 'pushed-take',
  text: `DELETE FROM pushed_requests
    WHERE digest = ANY ($1::text[]) AND client_id = $2 AND expires_at > gatehouse_now()
    RETURNING parameters`,
};

export function createPushedRequests(run: RunPrepared, keyring: Keyring): PushedRequests {
  return {
    async insert(clientId, parameters) {
      const requestUri = PREFIX + randomBytes(32).toString('base64url');
      const { digest } = keyring.digest(requestUri);
      await run(INSERT, [digest, clientId, JSON.stringify(parameters), LIFETIMES.pushedRequest]);
      return requestUri;
    },
    async take(requestUri, clientId) {
      if (!REFERENCE.test(requestUri.slice(PREFIX.length))) return undefined;
      const [row] = await run<{ parameters: PushedParameters }>(TAKE, [
        keyring.digests(requestUri),
        clientId,
      ]);
      return row?.parameters;
    },
  };
}

/** Whether a `request_uri` is one of this server's. Others are not supported. */
export function isPushedUri(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(PREFIX);
}

/** Deletes expired requests. @returns how many */
export function deleteExpiredPushedRequests(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [row] = await manager.query<[{ count: number }]>(
      `WITH deleted AS (
         DELETE FROM pushed_requests WHERE digest IN (
           SELECT digest FROM pushed_requests WHERE expires_at <= gatehouse_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM deleted`,
      [limit],
    );
    return row.count;
  }, signal);
}
