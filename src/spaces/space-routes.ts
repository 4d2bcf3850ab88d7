import type { Access, GuardedState } from '../credentials/index.js';
import { readJson } from '../http/body/body.js';
import type { RouteContext } from '../http/context.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import type { Route } from '../http/routes.js';
import { presentSpace } from './space-presenter.js';
import { spaceFields } from './space-schema.js';
import { createSpaceService, type SpaceManager } from './space-service.js';

type SpaceContext = RouteContext<GuardedState>;

interface Dependencies {
  readonly pagination: Pagination;
  readonly clientAddress: (request: SpaceContext['req']) => string;
}

const ACCESS: Access = { scopes: ['spaces:manage'], principals: ['tenant', 'user'] };

/** `/spaces`: manages the spaces of a tenant. */
export function createSpaceRoutes({
  pagination,
  clientAddress,
}: Dependencies): Route<Access, GuardedState>[] {
  const serviceOf = ({ state }: SpaceContext) => createSpaceService(state.manager);
  const managerOf = ({ req, state: { principal, requestId } }: SpaceContext): SpaceManager => ({
    tenantId: principal.tenantId,
    spaces: principal.spaces,
    environment: principal.environment,
    actor: { id: principal.credentialId, address: clientAddress(req), requestId },
  });
  const idOf = (ctx: SpaceContext) => ctx.params['id'] ?? '';

  return [
    {
      method: 'GET',
      path: '/spaces',
      access: ACCESS,
      query: PAGE_QUERY,
      async handle(ctx) {
        const by = managerOf(ctx);
        const list = ['spaces', by.tenantId, ...(by.spaces ?? ['*'])];
        const request = pagination.read(new URLSearchParams(ctx.querystring), list);
        const found = await serviceOf(ctx).list(by, request);
        sendPage(
          ctx,
          pagination.page(found, request, list, ({ seq }) => Number(seq)),
          presentSpace,
        );
      },
    },
    {
      method: 'POST',
      path: '/spaces',
      access: ACCESS,
      async handle(ctx) {
        const { name } = readJson(ctx, spaceFields);
        sendData(ctx, presentSpace(await serviceOf(ctx).create(managerOf(ctx), name)), 201);
      },
    },
    {
      method: 'GET',
      path: '/spaces/:id',
      access: ACCESS,
      async handle(ctx) {
        sendData(ctx, presentSpace(await serviceOf(ctx).find(managerOf(ctx), idOf(ctx))));
      },
    },
    {
      method: 'PATCH',
      path: '/spaces/:id',
      access: ACCESS,
      async handle(ctx) {
        const { name } = readJson(ctx, spaceFields);
        sendData(ctx, presentSpace(await serviceOf(ctx).rename(managerOf(ctx), idOf(ctx), name)));
      },
    },
  ];
}
