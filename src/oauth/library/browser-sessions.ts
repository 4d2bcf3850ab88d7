import type { Context } from 'koa';
import type Provider from 'oidc-provider';

import type { RequestState } from '../../http/context.js';
import { noteFacts } from '../../http/request-facts.js';
import { SESSION_LIFETIMES } from '../../credentials/index.js';
import type { SessionStore } from '../../sessions/index.js';
import { onBehalfOf } from './library-internals.js';
import { LIFETIMES } from '../lifetimes.js';
import type { cookiesOf } from './provider.js';
import type { HasPassword, SignedInAccount } from '../authorize/sign-in-page.js';

/** The session of a signed-in browser. */
export interface ConsoleSession {
  readonly accountId: string;
  /** The session's id. It is not a secret, and stays the same when the secret is renewed. */
  readonly sessionId: string;
}

/** Sign-in and sign-out outside of an authorization. A browser has one session for both. */
export interface ConsoleSessions {
  /** The session of the request's browser, if it is active and signed in. */
  find(ctx: Context): Promise<ConsoleSession | undefined>;
  /** Whether the browser has the cookie of a session that has ended. */
  hasEnded(ctx: Context): Promise<boolean>;
  /** The account of the browser's session, if it has ended lately. */
  formerAccountOf(ctx: Context): Promise<string | undefined>;
  /** Signs an account in under a new secret (against session fixation). Another account's session ends. */
  begin(ctx: Context, account: SignedInAccount): Promise<void>;
  /**
   * Sends the cookie of a session again, in case the first response was lost. A signed-in browser keeps its session. A
   * session that has ended is not restored.
   * @param secret of the session that this browser was given
   */
  restore(ctx: Context, secret: string): Promise<void>;
  /** Ends the session in the database, for every copy of its cookie. */
  end(ctx: Context): Promise<void>;
}

interface Dependencies {
  readonly provider: () => Provider;
  readonly sessions: () => Pick<SessionStore, 'destroyBySecret' | 'renew' | 'signOut'>;
  readonly clientAddress: (request: Context['req']) => string;
  readonly cookies: ReturnType<typeof cookiesOf>;
  readonly hasPassword: HasPassword;
  /** The account of an ended session by its secret. */
  readonly findFormerAccount: (secret: string) => Promise<string | undefined>;
}

export function createConsoleSessions(dependencies: Dependencies): ConsoleSessions {
  const { provider, sessions, hasPassword, clientAddress } = dependencies;
  const { names, long } = dependencies.cookies;
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
      // A session renewed recently is not written again.
      if (exp - Date.now() / 1000 < idleSeconds - renewAfterSeconds) {
        const seconds = await sessions().renew(jti);
        if (seconds !== undefined) sendCookie(ctx, jti, seconds);
      }
      return { accountId, sessionId: uid };
    },
    ...createEndedSessions(dependencies),
    async begin(ctx, { id: accountId, passwordMark, amr = ['pwd'] }) {
      const { Session } = provider();
      let session = await Session.get(ctx);
      if (session.accountId === accountId) session.resetIdentifier();
      else {
        // A session of another account, or one that an attacker planted, is never continued.
        await sessions().signOut(session.jti, requestOf(ctx));
        session = new Session();
      }
      session.loginAccount({ accountId, amr: [...amr] });
      await onBehalfOf(ctx, () => session.save(LIFETIMES.session));
      // Replacing a password ends all sessions. One that was being saved at that time would be missed.
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

/** Reads the cookie of a session that has ended. */
function createEndedSessions({
  provider,
  cookies: { names },
  findFormerAccount,
}: Dependencies): Pick<ConsoleSessions, 'hasEnded' | 'formerAccountOf'> {
  const secretIn = (ctx: Context) => ctx.cookies.get(names.session, { signed: true });
  return {
    async hasEnded(ctx) {
      if (secretIn(ctx) === undefined) return false;
      return (await provider().Session.get(ctx)).accountId === undefined;
    },
    async formerAccountOf(ctx) {
      const secret = secretIn(ctx);
      return secret === undefined ? undefined : findFormerAccount(secret);
    },
  };
}
