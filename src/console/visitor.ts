import type { Middleware } from 'koa';

import type { AccountMembership } from '../accounts/account-store.js';
import type { SignedIn } from '../credentials/session-guard.js';
import type { RequestState, RouteContext } from '../http/context.js';
import type { Csrf } from '../http/csrf.js';
import type { SignedInFrame } from '../http/pages.js';
import type { ConsoleSessions } from '../oauth/console-sessions.js';
import type { PageAccount } from '../oauth/pending-authorization.js';
import { loginFor } from './return-to.js';

/** What the console knows of accounts. */
export interface ConsoleAccounts {
  find(accountId: string): Promise<PageAccount | undefined>;
  /** The tenants that an account belongs to, by name. */
  membershipsOf(accountId: string): Promise<readonly AccountMembership[]>;
}

/** Who looks at a page of the settings area. */
export interface Visitor extends SignedIn {
  readonly email: string;
  readonly memberships: readonly AccountMembership[];
}

export interface VisitorState extends RequestState {
  visitor: Visitor;
}

export type SettingsContext = RouteContext<VisitorState>;

interface Dependencies {
  readonly sessions: ConsoleSessions;
  readonly accounts: ConsoleAccounts;
}

/** Stands before all pages of the settings area: who has not signed in is sent to do that, and back. */
export function createVisitorGate({ sessions, accounts }: Dependencies): Middleware<VisitorState> {
  return async (ctx, next) => {
    const signedIn = await sessions.find(ctx as never);
    const account = signedIn && (await accounts.find(signedIn.accountId));
    if (signedIn === undefined || account === undefined) {
      // A form's address is that of its page, which is where one continues.
      return seeOther(ctx, loginFor(ctx.path + ctx.search));
    }
    const memberships = await accounts.membershipsOf(account.id);
    ctx.state.visitor = { ...signedIn, email: account.email, memberships };
    return next();
  };
}

/** What stands around the visitor's pages. */
export function frameOf(
  ctx: Parameters<Csrf['token']>[0] & { readonly state: VisitorState },
  csrf: Csrf,
): SignedInFrame {
  return { email: ctx.state.visitor.email, signOut: '/logout', csrf: csrf.token(ctx) };
}

/** On to another page, by GET whatever this request was (RFC 9110 §15.4.4). */
export function seeOther(ctx: Pick<RouteContext, 'redirect' | 'status'>, target: string): void {
  ctx.redirect(target);
  ctx.status = 303;
}
