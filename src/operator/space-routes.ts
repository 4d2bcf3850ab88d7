import { z } from 'zod';

import { isId } from '../db/id.js';
import { namesOfFilter } from '../http/annotations.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { COST } from '../http/route-declaration.js';
import {
  createSpaceService,
  findTenantOfSpace,
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
/** A tenant, if given, must be the space's. */
const ofItem = ofTenant.partial();

const serviceOf = ({ state }: OperatorContext) => createSpaceService(state.manager);

/** `/operator/spaces` */
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
      summary: 'Show a space of any tenant',
      access,
      cost: COST.read,
      query: ofItem,
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx, { query: { tenantId } }) {
        const by = await managerOfItem(ctx, tenantId);
        sendData(ctx, presentSpace(await serviceOf(ctx).find(by, idOf(ctx))));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change members of a space of any tenant',
      access,
      cost: COST.change,
      body: spaceChange.extend(ofItem.shape),
      answers: { 200: dataOf(spaceAnswer) },
      async handle(ctx, { body: { tenantId, ...change } }) {
        const by = await managerOfItem(ctx, tenantId);
        sendData(ctx, presentSpace(await serviceOf(ctx).change(by, idOf(ctx), change)));
      },
    }),
  ];
}

async function managerOf(ctx: OperatorContext, tenant: string): Promise<SpaceManager> {
  return managerIn(ctx, await tenantIdOf(ctx, tenant));
}

/** @throws Problem `not_found` */
async function managerOfItem(
  ctx: OperatorContext,
  tenant: string | undefined,
): Promise<SpaceManager> {
  if (tenant !== undefined) return managerOf(ctx, tenant);
  const id = idOf(ctx);
  const tenantId = isId('spc', id) ? await findTenantOfSpace(ctx.state.manager, id) : undefined;
  if (tenantId === undefined) throw new Problem('not_found', 'Space not found.');
  return managerIn(ctx, tenantId);
}

function managerIn({ state: { actor } }: OperatorContext, tenantId: string): SpaceManager {
  return { actor, tenantId, spaces: null, environment: 'live' };
}
