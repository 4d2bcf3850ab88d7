import type { Context, Middleware } from 'koa';

import type { RequestState } from '../../http/context.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import type { Scope } from '../../scopes/catalog.js';
import type { Role } from '../../scopes/roles.js';
import { type Challenge, createChallenge, isOpenDenial, withChallenge } from './challenge.js';
import type { Presentations } from '../verification/presentation.js';

/**
 * The access rule of a route of the console's API: a signed-in user, or a signed-in member of a tenant. These routes
 * admit no credentials. Routes for credentials ignore the session, unless they declare `sessions`.
 */
export type SessionAccess = { readonly session: 'account' | 'member' };

/** A user who has signed in with a browser. */
export interface SignedIn {
  readonly accountId: string;
  readonly sessionId: string;
}

/** A signed-in user as a member of a tenant. */
export interface Member extends SignedIn {
  readonly tenantId: string;
  /** The current role. */
  readonly role: Role;
}

/** The state of a request behind the session guard. */
export interface SessionState extends RequestState {
  signedIn: SignedIn;
  /** On routes that admit members. */
  member: Member;
}

/** A tenant of which an account is a member. */
export interface TenantMembership {
  readonly tenantId: string;
  readonly tenantSlug: string;
  readonly isTenantSuspended: boolean;
  readonly role: Role;
}

interface Dependencies {
  readonly presentations: Presentations;
  readonly sessions: { find(ctx: Context): Promise<SignedIn | undefined> };
  readonly csrf: { checkCall(ctx: Context): void };
  /** @param named the tenant of the request, by its id or slug; empty if none is named */
  readonly membershipsOf: (
    accountId: string,
    named: string,
  ) => Promise<readonly TenantMembership[]>;
  /** The header that names the tenant of a request, `X-<Brand>-Tenant`. */
  readonly tenantHeader: string;
  /** Refuses a presented credential: the guard of a route that admits none. */
  readonly refuse: Middleware;
  readonly resourceMetadataUrl: string;
}

/**
 * Makes the guard of a route for a browser session.
 *
 * @param scopes the scopes that the route requires of a credential; a challenge names them
 */
type SessionGuard = (
  access: SessionAccess | undefined,
  scopes?: readonly Scope[],
) => Middleware<SessionState>;

/**
 * Makes the guard of routes for a browser session. Any site can make a browser send the cookie, so a CSRF token is
 * required too.
 *
 * A route without an access rule admits nobody.
 */
export function createSessionGuard(dependencies: Dependencies): SessionGuard {
  return (access, scopes) => {
    const challenge = createChallenge(dependencies.resourceMetadataUrl, scopes);
    return guardOf(dependencies, access, challenge);
  };
}

function guardOf(
  dependencies: Dependencies,
  access: SessionAccess | undefined,
  challenge: Challenge,
): Middleware<SessionState> {
  const { presentations, sessions, csrf, membershipsOf, tenantHeader, refuse } = dependencies;
  return async (ctx, next) => {
    const isPresented = presentations.find(ctx.req, ctx.querystring) !== undefined;
    if (isPresented || access === undefined) return refuse(ctx, next);
    try {
      const signedIn = await sessions.find(ctx as Context);
      if (signedIn === undefined) {
        const headers = challenge();
        throw new Problem(
          'unauthorized',
          'Sign in first: this takes the session of a browser, and no credential.',
          { headers },
        );
      }
      csrf.checkCall(ctx as Context);
      ctx.state.signedIn = signedIn;
      if (access.session === 'member') {
        const named = ctx.get(tenantHeader);
        const memberships = await membershipsOf(signedIn.accountId, named);
        const how = `Name one in ${tenantHeader}, by its id or slug.`;
        ctx.state.member = memberOf(signedIn, chooseTenant(memberships, named, how));
        noteFacts(ctx, { tenantId: ctx.state.member.tenantId });
      }
      await next();
    } catch (error) {
      throw isOpenDenial(error) ? withChallenge(error, challenge) : error;
    }
  };
}

/**
 * Chooses the named tenant, or the only one.
 *
 * @param named its id or slug; empty if none is named
 * @param how instructions for naming one, for the problem's detail
 * @throws Problem `forbidden` if the account is not a member of it or of any tenant; `tenant_suspended`;
 *   `bad_request` if there are several and none is named
 */
export function chooseTenant<Of extends TenantMembership>(
  memberships: readonly Of[],
  named: string,
  how: string,
): Of {
  const [first, ...others] = memberships;
  if (first === undefined)
    throw new Problem(
      'forbidden',
      'You belong to no organization. Ask an administrator to invite you.',
    );
  if (named === '' && others.length > 0) {
    throw new Problem('bad_request', `You belong to several organizations. ${how}`);
  }
  const membership =
    named === ''
      ? first
      : memberships.find(({ tenantId, tenantSlug }) => named === tenantId || named === tenantSlug);
  if (membership === undefined)
    throw new Problem('forbidden', 'You do not belong to that organization.');
  if (membership.isTenantSuspended)
    throw new Problem('tenant_suspended', 'The organization is suspended.');
  return membership;
}

function memberOf(signedIn: SignedIn, { tenantId, role }: TenantMembership): Member {
  return { ...signedIn, tenantId, role };
}
