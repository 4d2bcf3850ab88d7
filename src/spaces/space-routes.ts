import {
  type Access,
  guardedRoute,
  type GuardedRoute,
  type GuardedState,
} from '../credentials/index.js';
import { dataOf, pageOf } from '../http/answers.js';
import type { RouteContext } from '../http/context.js';
import { sendData, sendPage, sendPageText } from '../http/envelope.js';
import { namesOfFilter } from '../http/annotations.js';
import type { Pagination } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { presentSpace, spaceAnswer } from './space-presenter.js';
import { SPACE_QUERY, spaceChange, spaceFields } from './space-schema.js';
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
      query: SPACE_QUERY,
      answers: { 200: pageOf(spaceAnswer) },
      async handle(ctx, { query }) {
        const by = managerOf(ctx, clientAddress);
        const { limit, cursor, ...filter } = query;
        const list = ['spaces', by.tenantId, ...(by.spaces ?? ['*']), ...namesOfFilter(filter)];
        const request = pagination.read({ limit, cursor }, list);
        const written = await serviceOf(ctx).listWritten(by, request, filter);
        if (written !== undefined) {
          sendPageText(
            ctx,
            pagination.page(written, request, list, ({ id }) => id),
          );
          return;
        }
        const found = await serviceOf(ctx).list(by, request, filter);
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
      async handle(ctx, { body }) {
        sendData(
          ctx,
          presentSpace(await serviceOf(ctx).create(managerOf(ctx, clientAddress), body)),
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
      summary: 'Change members of a space',
      access: ACCESS,
      cost: COST.change,
      body: spaceChange,
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx, { body }) {
        const by = managerOf(ctx, clientAddress);
        sendData(ctx, presentSpace(await serviceOf(ctx).change(by, idOf(ctx), body)));
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
