import {
  type Access,
  guardedRoute,
  type GuardedRoute,
  type GuardedState,
} from '../credentials/index.js';
import { dataOf, pageOf } from '../http/answers.js';
import type { RouteContext } from '../http/context.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { presentSpace, spaceAnswer } from './space-presenter.js';
import { spaceFields } from './space-schema.js';
import { createSpaceService, type SpaceManager } from './space-service.js';

type SpaceContext = RouteContext<GuardedState>;

interface Dependencies {
  readonly pagination: Pagination;
  readonly clientAddress: (request: SpaceContext['req']) => string;
}

const ACCESS: Access = {
  scopes: ['spaces:manage'],
  principals: ['tenant', 'user'],
  sessions: true,
};

/** `/spaces`: manages the spaces of a tenant. */
export function createSpaceRoutes({ pagination, clientAddress }: Dependencies): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/spaces',
      summary: 'List the spaces that the credential may enter',
      access: ACCESS,
      cost: COST.read,
      query: PAGE_QUERY,
      answers: { 200: pageOf(spaceAnswer) },
      async handle(ctx, { query }) {
        const by = managerOf(ctx, clientAddress);
        const list = ['spaces', by.tenantId, ...(by.spaces ?? ['*'])];
        const request = pagination.read(query, list);
        const found = await serviceOf(ctx).list(by, request);
        sendPage(
          ctx,
          pagination.page(found, request, list, ({ seq }) => Number(seq)),
          presentSpace,
        );
      },
    }),
    guardedRoute({
      method: 'POST',
      path: '/spaces',
      summary: 'Create a space',
      access: ACCESS,
      cost: COST.change,
      body: spaceFields,
      answers: { 201: dataOf(spaceAnswer) },
      async handle(ctx, { body: { name } }) {
        sendData(
          ctx,
          presentSpace(await serviceOf(ctx).create(managerOf(ctx, clientAddress), name)),
          201,
        );
      },
    }),
    ...createItemRoutes(clientAddress),
  ];
}

function createItemRoutes(clientAddress: Dependencies['clientAddress']): GuardedRoute[] {
  const idOf = (ctx: SpaceContext) => ctx.params['id'] ?? '';

  return [
    guardedRoute({
      method: 'GET',
      path: '/spaces/:id',
      summary: 'Show a space',
      access: ACCESS,
      cost: COST.read,
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx) {
        sendData(
          ctx,
          presentSpace(await serviceOf(ctx).find(managerOf(ctx, clientAddress), idOf(ctx))),
        );
      },
    }),
    guardedRoute({
      method: 'PATCH',
      path: '/spaces/:id',
      summary: 'Rename a space',
      access: ACCESS,
      cost: COST.change,
      body: spaceFields,
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx, { body: { name } }) {
        sendData(
          ctx,
          presentSpace(await serviceOf(ctx).rename(managerOf(ctx, clientAddress), idOf(ctx), name)),
        );
      },
    }),
  ];
}

const serviceOf = ({ state }: SpaceContext) => createSpaceService(state.manager);

function managerOf(
  { req, state: { principal, member, requestId } }: SpaceContext,
  clientAddress: Dependencies['clientAddress'],
): SpaceManager {
  return {
    tenantId: principal.tenantId,
    spaces: principal.spaces,
    environment: principal.environment,
    actor: {
      id: member?.accountId ?? principal.credentialId,
      address: clientAddress(req),
      requestId,
    },
  };
}
