import type { Context } from 'koa';
import type Provider from 'oidc-provider';

import type { RequestState } from '../http/context.js';
import { noteFacts } from '../http/request-facts.js';
import { SESSION_LIFETIMES } from '../credentials/session-lifetimes.js';
import type { SessionStore } from '../sessions/session-store.js';
import { onBehalfOf } from './library-internals.js';
import { LIFETIMES } from './lifetimes.js';
import type { cookiesOf } from './provider.js';
import type { HasPassword, SignedInAccount } from './sign-in-page.js';

/** A browser in which somebody has signed in. */
export interface ConsoleSession {
  readonly accountId: string;
  /** The session's name, which is no secret and stays the same when that is renewed. */
  readonly sessionId: string;
}

/** Signing in and out, outside of any authorization: to the one session that a browser has here. */
export interface ConsoleSessions {
  /** The session of the request's browser, if it is good at this moment and somebody has signed in to it. */
  find(ctx: Context): Promise<ConsoleSession | undefined>;
  /** Whether the browser has the cookie of a session that is not good any more. */
  hasEnded(ctx: Context): Promise<boolean>;
  /** Signs an account in, under a secret that nobody has known before. Somebody else's session ends. */
  begin(ctx: Context, account: SignedInAccount): Promise<void>;
  /**
   * Gives a browser a session again that it was given before, in case the answer never arrived. A browser in which
   * somebody is signed in keeps the session that it has; one that has ended is not given again.
   * @param secret of the session that this browser was given
   */
  restore(ctx: Context, secret: string): Promise<void>;
  /** Ends the session, for every copy of its cookie. */
  end(ctx: Context): Promise<void>;
}

interface Dependencies {
  readonly provider: () => Provider;
  readonly sessions: () => Pick<SessionStore, 'destroyBySecret' | 'renew' | 'signOut'>;
  readonly clientAddress: (request: Context['req']) => string;
  readonly cookies: ReturnType<typeof cookiesOf>;
  readonly hasPassword: HasPassword;
}

export function createConsoleSessions({
  provider,
  sessions,
  cookies: { names, long },
  hasPassword,
  clientAddress,
}: Dependencies): ConsoleSessions {
  const requestOf = (ctx: Context) => ({
    address: clientAddress(ctx.req),
    requestId: (ctx.state as RequestState).requestId,
  });
  const sendCookie = (ctx: Context, secret: string, seconds: number) => {
    const expires = new Date(Date.now() + seconds * 1000);
    ctx.cookies.set(names.session, secret, { ...long, expires });
  };

  return {
    async find(ctx) {
      const { accountId, uid, jti, exp } = await provider().Session.get(ctx);
      if (accountId === undefined) return undefined;
      noteFacts(ctx, { accountId });
      const { idleSeconds, renewAfterSeconds } = SESSION_LIFETIMES;
      // In use a moment ago: there is nothing to write.
      if (exp - Date.now() / 1000 < idleSeconds - renewAfterSeconds) {
        const seconds = await sessions().renew(jti);
        if (seconds !== undefined) sendCookie(ctx, jti, seconds);
      }
      return { accountId, sessionId: uid };
    },
    async hasEnded(ctx) {
      if (ctx.cookies.get(names.session, { signed: true }) === undefined) return false;
      return (await provider().Session.get(ctx)).accountId === undefined;
    },
    async begin(ctx, { id: accountId, passwordMark }) {
      const { Session } = provider();
      let session = await Session.get(ctx);
      if (session.accountId === accountId) session.resetIdentifier();
      else {
        // Nothing of a session that somebody else had, or may have planted, passes on.
        await sessions().signOut(session.jti, requestOf(ctx));
        session = new Session();
      }
      session.loginAccount({ accountId, amr: ['pwd'] });
      await onBehalfOf(ctx, () => session.save(LIFETIMES.session));
      // Replacing a password ends the sessions that there are. One that was just being made would not be among them.
      if (!(await hasPassword(accountId, passwordMark))) {
        return sessions().destroyBySecret(session.jti);
      }
      sendCookie(ctx, session.jti, LIFETIMES.session);
    },
    async restore(ctx, secret) {
      const { Session } = provider();
      if ((await Session.get(ctx)).accountId !== undefined) return;
      const session = await Session.find(secret);
      if (session?.accountId === undefined) return;
      sendCookie(ctx, secret, session.exp - Math.floor(Date.now() / 1000));
    },
    async end(ctx) {
      const session = await provider().Session.get(ctx);
      await sessions().signOut(session.jti, requestOf(ctx));
      ctx.cookies.set(names.session, null, long);
    },
  };
}
