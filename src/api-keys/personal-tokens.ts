import { sessionRoute, type SessionRoute } from '../credentials/index.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import type { RequestState, RouteContext } from '../http/context.js';
import type { KeyManager } from './authority.js';
import { createManagedRoutes, type KeyRouteDependencies } from './key-routes.js';
import { newPersonalToken, personalTokenChange } from './key-schema.js';

/** A signed-in account in one of its tenants. */
export interface TokenOwner {
  readonly accountId: string;
  readonly sessionId: string;
  readonly tenantId: string;
}

interface OwnerState extends RequestState {
  readonly member: TokenOwner;
}

type OwnerContext = Pick<RouteContext<OwnerState>, 'req' | 'state'>;

/** `/personal-access-tokens`: manages the signed-in account's own tokens. */
export function createPersonalTokenRoutes(dependencies: KeyRouteDependencies): SessionRoute[] {
  return createManagedRoutes(dependencies, {
    path: '/personal-access-tokens',
    nouns: ['personal access token', 'personal access tokens'],
    declare: sessionRoute,
    access: { session: 'member' },
    accessToEnd: { session: 'member' },
    managerOf: (ctx) => ({
      by: managerOf(ctx, dependencies.clientAddress),
      environments: ENVIRONMENTS,
      spaces: null,
    }),
    created: newPersonalToken,
    change: personalTokenChange,
  });
}

/** The manager of a signed-in account's request. */
function managerOf(
  { req, state }: OwnerContext,
  clientAddress: (request: OwnerContext['req']) => string,
): KeyManager {
  const { accountId, sessionId, tenantId } = state.member;
  const actor = { id: accountId, address: clientAddress(req), requestId: state.requestId };
  return { tenantId, accountId, sessionId, actor };
}
