import { z } from 'zod';

import { namesOfFilter } from '../http/annotations.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { COST } from '../http/route-declaration.js';
import {
  createSpaceService,
  presentSpace,
  SPACE_QUERY,
  spaceAnswer,
  spaceChange,
  spaceFields,
  type SpaceManager,
} from '../spaces/index.js';
import { tenantIdOf } from './named-tenant.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/spaces';
const access = { operator: 'tenants:manage' } as const;

const ofTenant = z.object({ tenantId: z.string() });

const serviceOf = ({ state }: OperatorContext) => createSpaceService(state.manager);

/** `/operator/spaces`: those of the tenant that the request names. */
export function createSpaceRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the spaces of a tenant, newest first',
      access,
      cost: COST.read,
      query: SPACE_QUERY.extend(ofTenant.shape),
      answers: { 200: pageOf(spaceAnswer) },
      async handle(ctx, { query: { limit, cursor, tenantId, ...filter } }) {
        const by = await managerOf(ctx, tenantId);
        const list = ['operator-spaces', by.tenantId, ...namesOfFilter(filter)];
        const request = pagination.read({ limit, cursor }, list);
        const found = await serviceOf(ctx).list(by, request, filter);
        const page = pagination.page(found, request, list, ({ seq }) => Number(seq));
        sendPage(ctx, page, presentSpace);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Create a space in a tenant',
      access,
      cost: COST.change,
      body: spaceFields.extend(ofTenant.shape),
      answers: { 201: dataOf(spaceAnswer) },
      async handle(ctx, { body: { tenantId, ...fields } }) {
        const by = await managerOf(ctx, tenantId);
        sendData(ctx, presentSpace(await serviceOf(ctx).create(by, fields)), 201);
      },
    }),
    ...createItemRoutes(),
  ];
}

function createItemRoutes(): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show a space of a tenant',
      access,
      cost: COST.read,
      query: ofTenant,
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx, { query: { tenantId } }) {
        const by = await managerOf(ctx, tenantId);
        sendData(ctx, presentSpace(await serviceOf(ctx).find(by, idOf(ctx))));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change members of a space of a tenant',
      access,
      cost: COST.change,
      body: spaceChange.extend(ofTenant.shape),
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx, { body: { tenantId, ...change } }) {
        const by = await managerOf(ctx, tenantId);
        sendData(ctx, presentSpace(await serviceOf(ctx).change(by, idOf(ctx), change)));
      },
    }),
  ];
}

async function managerOf(ctx: OperatorContext, tenant: string): Promise<SpaceManager> {
  const tenantId = await tenantIdOf(ctx, tenant);
  return { actor: ctx.state.actor, tenantId, spaces: null, environment: 'live' };
}
