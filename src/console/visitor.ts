import type { Context, Middleware } from 'koa';

import type { AccountMembership } from '../accounts/index.js';
import type { SignedIn } from '../credentials/index.js';
import { singleValue } from '../http/body/form.js';
import type { RequestState, RouteContext } from '../http/context.js';
import type { Csrf } from '../http/pages/csrf.js';
import type { SignedInFrame } from '../http/pages/frame.js';
import type { ConsoleSessions, PageAccount } from '../oauth/index.js';
import { createFrame } from './frame.js';
import { firstOrganization, type OrganizationContext } from './organization-context.js';
import { loginFor } from './return-to.js';

/** Lookups of accounts that the console needs. */
export interface ConsoleAccounts {
  find(accountId: string): Promise<PageAccount | undefined>;
  /** The tenants that an account belongs to, by name: see `AccountStore.listMemberships`. */
  readonly membershipsOf: (
    accountId: string,
    named?: string,
  ) => Promise<readonly AccountMembership[]>;
  /** The names of a tenant's administrators, up to three. */
  readonly administratorsOf: (tenantId: string) => Promise<readonly string[]>;
}

/** The signed-in user of a settings page. */
export interface Visitor extends SignedIn {
  readonly email: string;
  readonly memberships: readonly AccountMembership[];
}

export interface VisitorState extends RequestState {
  visitor: Visitor;
}

interface Dependencies {
  readonly sessions: ConsoleSessions;
  readonly accounts: ConsoleAccounts;
  /** The address to which the sign-in leads back. */
  readonly returnAddress: (ctx: Context) => Promise<string>;
}

/** Guards the settings pages. Redirects anonymous visitors to the login page, which leads back. */
export function createVisitorGate({
  sessions,
  accounts,
  returnAddress,
}: Dependencies): Middleware<VisitorState> {
  return async (ctx, next) => {
    const signedIn = await sessions.find(ctx);
    const account = signedIn && (await accounts.find(signedIn.accountId));
    if (signedIn === undefined || account === undefined) {
      return seeOther(ctx, loginFor(await returnAddress(ctx)));
    }
    const named = singleValue(new URLSearchParams(ctx.querystring), 'tenant');
    const memberships = await accounts.membershipsOf(account.id, named);
    ctx.state.visitor = { ...signedIn, email: account.email, memberships };
    return next();
  };
}

/** Whether the gate has let the request pass. */
export function hasVisitor<Ctx extends { readonly state: RequestState }>(
  ctx: Ctx,
): ctx is Ctx & { readonly state: VisitorState } {
  return 'visitor' in ctx.state;
}

/** The frame of a signed-in visitor's pages. Before the gate has chosen an organization, it is that of the visitor's first. */
export function frameOf(
  ctx: Parameters<Csrf['token']>[0] & {
    readonly path: string;
    readonly state: VisitorState & {
      readonly organization?: OrganizationContext;
      readonly isRestored?: boolean;
    };
  },
  csrf: Csrf,
): SignedInFrame {
  const { visitor, organization, isRestored = false } = ctx.state;
  const { email, memberships } = visitor;
  return createFrame({
    path: ctx.path,
    email,
    memberships,
    organization: organization ?? firstOrganization(memberships),
    isRestored,
    csrf: csrf.token(ctx),
  });
}

/** Redirects to a page by GET (RFC 9110 §15.4.4). */
export function seeOther(ctx: Pick<RouteContext, 'redirect' | 'status'>, target: string): void {
  ctx.redirect(target);
  ctx.status = 303;
}
