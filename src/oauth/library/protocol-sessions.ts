import Provider from 'oidc-provider';
import type { Context } from 'koa';

import type { RequestState } from '../../http/context.js';
import type { SessionStore } from '../../sessions/index.js';

/** A browser's session as oidc-provider stores it. */
export type SessionPayload = Readonly<Record<string, unknown>>;

export interface FoundSession {
  readonly payload: SessionPayload;
  readonly remainingSeconds: number;
}

/** Storage of oidc-provider's sessions. */
export interface ProtocolSessions {
  /**
   * Stores a session once an account has signed in. Without that rule, oidc-provider would store an empty session for
   * every request whose cookie names one that has ended.
   *
   * @param payload its `uid` stays the session's id when the secret is renewed
   */
  save(secret: string, payload: SessionPayload, seconds: number): Promise<void>;
  findBySecret(secret: string): Promise<FoundSession | undefined>;
  findById(id: string): Promise<FoundSession | undefined>;
}

export function createProtocolSessions(
  /** The store, in the current transaction. */
  store: () => SessionStore,
  clientAddress: (request: Context['req']) => string,
): ProtocolSessions {
  const withOrder = (
    found: Awaited<ReturnType<SessionStore['findById']>>,
  ): FoundSession | undefined =>
    found && {
      payload: { ...found.payload, issueSeq: found.issueSeq },
      remainingSeconds: found.remainingSeconds,
    };
  return {
    async save(secret, payload, ttlSeconds) {
      const { issueSeq, ...kept } = payload as { issueSeq?: string };
      const { uid, accountId } = kept as { uid: string; accountId?: string };
      if (accountId === undefined) return;
      const ctx = Provider.ctx as unknown as Context | undefined;
      await store().save({
        id: uid,
        secret,
        accountId,
        payload: kept,
        address: ctx === undefined ? null : clientAddress(ctx.req),
        userAgent: ctx?.get('User-Agent').slice(0, 500) || null,
        requestId: (ctx?.state as Partial<RequestState> | undefined)?.requestId ?? null,
        ttlSeconds,
        issueSeq,
      });
    },
    findBySecret: async (secret) => withOrder(await store().findBySecret(secret)),
    findById: async (id) => withOrder(await store().findById(id)),
  };
}
