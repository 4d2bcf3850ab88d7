import { z } from 'zod';

import { annotationQuery, externalId, namesOfFilter } from '../http/annotations.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { parseWith } from '../http/validation.js';
import {
  createTenantService,
  createTenantStore,
  newTenant,
  presentTenant,
  type StoredTenant,
  tenantAnswer,
  tenantChange,
} from '../tenants/index.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import { reason } from './reason.js';
import type { RouteDependencies } from './route-dependencies.js';

const PATH = '/operator/tenants';
const access = { operator: 'tenants:manage' } as const;
const answer = dataOf(tenantAnswer);

const mirrored = tenantChange.omit({ externalId: true }).required({ name: true });

/** The external id in a path. @throws Problem `validation_failed` */
export function externalIdOf(ctx: Pick<OperatorContext, 'params'>): string {
  const given = { externalId: ctx.params['externalId'] };
  return parseWith(z.object({ externalId }), given).externalId;
}

export function idOf(ctx: Pick<OperatorContext, 'params'>): string {
  return ctx.params['id'] ?? '';
}

/** `/operator/tenants` */
export function createTenantRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  const serviceOf = ({ state }: OperatorContext) => createTenantService(state.manager);
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List all tenants, newest first or by slug',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend(annotationQuery).extend({
        order: z.enum(['newest', 'slug']).default('newest'),
      }),
      answers: { 200: pageOf(tenantAnswer) },
      async handle(ctx, { query: { limit, cursor, order, ...filter } }) {
        const list = ['operator-tenants', order, ...namesOfFilter(filter)];
        const request = pagination.readText({ limit, cursor }, list);
        const store = createTenantStore(ctx.state.manager);
        const { found, resumeAfter } = await store.list({ ...request, order, filter });
        const positionOf = ({ id, slug }: StoredTenant) => (order === 'slug' ? slug : id);
        const page = pagination.pageText(found, request, list, positionOf, resumeAfter);
        sendPage(ctx, page, presentTenant);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Create a tenant with its default space',
      access,
      cost: COST.change,
      body: newTenant,
      answers: { 201: answer },
      async handle(ctx, { body }) {
        sendData(ctx, presentTenant(await serviceOf(ctx).create(ctx.state.actor, body)), 201);
      },
    }),
    operatorRoute({
      method: 'PUT',
      path: `${PATH}/by-external-id/:externalId`,
      summary: 'Create or update the tenant with an external id',
      access,
      cost: COST.change,
      body: mirrored,
      answers: { 200: answer, 201: answer },
      async handle(ctx, { body }) {
        const result = await serviceOf(ctx).mirror(ctx.state.actor, externalIdOf(ctx), body);
        sendData(ctx, presentTenant(result.tenant), result.isNew ? 201 : 200);
      },
    }),
    ...createItemRoutes(serviceOf),
  ];
}

function createItemRoutes(
  serviceOf: (ctx: OperatorContext) => ReturnType<typeof createTenantService>,
): OperatorRoute[] {
  const suspension = (verb: 'suspend' | 'resume', summary: string) =>
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/${verb}`,
      summary,
      access,
      cost: COST.change,
      body: z.strictObject({ reason }),
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const isSuspended = verb === 'suspend';
        const service = serviceOf(ctx);
        const { actor } = ctx.state;
        const tenant = await service.setSuspended(actor, idOf(ctx), isSuspended, body.reason);
        sendData(ctx, presentTenant(tenant));
      },
    });
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show a tenant, by its id or slug',
      access,
      cost: COST.read,
      answers: { 200: answer },
      async handle(ctx) {
        sendData(ctx, presentTenant(await serviceOf(ctx).find(idOf(ctx))));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change members of a tenant',
      access,
      cost: COST.change,
      body: tenantChange,
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const service = serviceOf(ctx);
        const { id } = await service.find(idOf(ctx));
        await service.update(ctx.state.actor, id, body);
        sendData(ctx, presentTenant(await service.find(id)));
      },
    }),
    suspension('suspend', 'Stop all credentials of a tenant until it is resumed'),
    suspension('resume', 'End the suspension of a tenant'),
  ];
}
