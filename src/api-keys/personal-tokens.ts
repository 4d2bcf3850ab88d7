import type { EntityManager } from 'typeorm';

import {
  createCredentialStore,
  type ListedCredential,
  sessionRoute,
  type SessionRoute,
} from '../credentials/index.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import type { RequestState, RouteContext } from '../http/context.js';
import type { PageRequest } from '../http/pagination.js';
import { managedKinds, type KeyManager } from './authority.js';
import type { MintedKey } from './issue-key.js';
import { createManagedRoutes, type KeyRouteDependencies } from './key-routes.js';
import { newPersonalToken, personalTokenChange, type NewKey } from './key-schema.js';
import type { KeyService } from './key-service.js';

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

/** The same operations for pages. */
export interface PersonalTokens {
  /** Newest first, up to one more than requested. */
  list(owner: TokenOwner, page: PageRequest): Promise<readonly ListedCredential[]>;
  /** @throws Problem as the route does */
  create(by: KeyManager, fields: NewKey): Promise<MintedKey>;
  /**
   * Revokes a token without `confirm`: the page has asked already.
   * @throws Problem `not_found`
   */
  revoke(by: KeyManager, id: string): Promise<void>;
}

export function createPersonalTokens(
  manager: EntityManager,
  transaction: <Result>(work: (service: KeyService) => Promise<Result>) => Promise<Result>,
): PersonalTokens {
  return {
    async list({ tenantId, accountId }, page) {
      const kinds = managedKinds({ accountId });
      const filter = { kinds, environments: ENVIRONMENTS, accountId };
      return (await createCredentialStore(manager).list(tenantId, filter, page)).found;
    },
    create: (by, fields) => transaction((service) => service.create(by, fields)),
    revoke: (by, id) =>
      transaction(async (service) => {
        const { name } = await service.find(by, id);
        await service.revoke(by, id, null, name);
      }),
  };
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
