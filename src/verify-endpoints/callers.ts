import type { Middleware } from 'koa';

import type { Access, GuardedState, Presentations, Target } from '../credentials/index.js';
import { Problem } from '../http/errors/problem.js';
import { noteFacts } from '../http/request-facts.js';
import type { ServerAuthentication } from '../resource-servers/index.js';
import type { Follower } from './changes/change-stream.js';

/** The state of a request behind the guard of services that verify. */
export interface CallerState extends GuardedState {
  /** Credentials that the calling service may see. */
  target: Target;
  /** The calling service. */
  caller: Follower;
}

/** The access rule of services: a resource server needs no scope, a service of a tenant does. */
export const CALLERS = {
  scopes: ['introspect'],
  principals: ['service'],
} as const satisfies Exclude<Access, 'public'>;

interface Dependencies {
  readonly guard: (access: Access) => Middleware<GuardedState>;
  readonly servers: ServerAuthentication;
  readonly presentations: Presentations;
  /** The resources that this server itself is. */
  readonly ownResources: readonly string[];
}

/**
 * Makes the guard of endpoints for other services. A resource server sees what is meant for it, of every tenant. A service
 * credential with the scope `introspect` sees its tenant's credentials, and all others look unknown to it.
 */
export function createCallerGuard({
  guard,
  servers,
  presentations,
  ownResources,
}: Dependencies): Middleware<CallerState> {
  const asService = guard(CALLERS);
  return async (ctx, next) => {
    const presented = presentations.find(ctx.req, ctx.querystring);
    if (presented?.by === 'bearer' && servers.hasPrefix(presented.raw)) {
      if (presented.publishableKey !== undefined) {
        throw new Problem('bad_request', 'Present one credential, in one way.');
      }
      const server = await servers.authenticate(presented.raw);
      if (server !== undefined) {
        noteFacts(ctx, { credentialId: server.id, kind: 'resource_server' });
        ctx.state.target = server;
        ctx.state.caller = { id: server.id, tenantId: undefined, subjects: server.subjects };
        return next();
      }
      // The guard refuses it, with its challenge.
      return asService(ctx, next).catch((refusal: unknown) =>
        servers.explain(presented.raw, refusal),
      );
    }
    return asService(ctx, () => {
      const { tenantId, credentialId, origin } = ctx.state.principal;
      ctx.state.caller = { id: credentialId, tenantId, subjects: origin.subjects.split(' ') };
      ctx.state.target = {
        audiences: ownResources,
        see: (principal) => (principal.tenantId === tenantId ? principal : undefined),
      };
      return next();
    });
  };
}
