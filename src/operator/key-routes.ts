import { z } from 'zod';

import {
  credentialFilterOf,
  keyAnswer,
  keyChange,
  keyFilter,
  type KeyManager,
  keyRotation,
  newKeyInTenant,
} from '../api-keys/index.js';
import { createCredentialStore, findTenantOfKey } from '../credentials/index.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import { namesOfFilter } from '../http/annotations.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { tenantIdOf } from './named-tenant.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import { reason } from './reason.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/api-keys';
const access = { operator: 'credentials:manage' } as const;
const answer = dataOf(keyAnswer);
/** A tenant, if given, must be the key's. */
const ofTenant = z.object({ tenantId: z.string().optional() });

/** `/operator/api-keys`: keys and personal tokens of any tenant. */
export function createKeyRoutes(dependencies: RouteDependencies): OperatorRoute[] {
  const { pagination, keys } = dependencies;
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the keys and personal tokens of a tenant, newest first',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend(keyFilter.shape).extend({ tenantId: z.string() }),
      answers: { 200: pageOf(keyAnswer) },
      async handle(ctx, { query: { limit, cursor, tenantId, ...given } }) {
        const by = await managerOf(ctx, tenantId);
        const { metadata, ...plain } = given;
        const list = ['operator-keys', by.tenantId, JSON.stringify(plain)];
        list.push(...namesOfFilter({ metadata }));
        const request = pagination.read({ limit, cursor }, list);
        const filter = credentialFilterOf(given, { by, environments: ENVIRONMENTS, spaces: null });
        const store = createCredentialStore(ctx.state.manager);
        const { found, resumeAfter } = await store.list(by.tenantId, filter, request);
        const positionOf = ({ issueSeq }: { readonly issueSeq: string }) => Number(issueSeq);
        const page = pagination.page(found, request, list, positionOf, resumeAfter);
        sendPage(ctx, page, (key) => keys.present(key));
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Create a key in a tenant',
      access,
      cost: COST.change,
      body: newKeyInTenant,
      answers: { 201: answer },
      async handle(ctx, { body: { tenantId, ...fields } }) {
        const by = await managerOf(ctx, tenantId);
        const { key, secret } = await keys.serviceOf(ctx).create(by, fields);
        sendData(ctx, keys.present(key, secret), 201);
      },
    }),
    ...createItemRoutes(dependencies),
  ];
}

function createItemRoutes({ keys }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      query: ofTenant,
      summary: 'Show a key of any tenant',
      access,
      cost: COST.read,
      answers: { 200: answer },
      async handle(ctx, { query }) {
        const by = await managerOfKey(ctx, query);
        sendData(ctx, keys.present(await keys.serviceOf(ctx).find(by, idOf(ctx))));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      query: ofTenant,
      summary: 'Change members of a key of any tenant',
      access,
      cost: COST.change,
      body: keyChange,
      answers: { 200: answer },
      async handle(ctx, { body, query }) {
        const by = await managerOfKey(ctx, query);
        sendData(ctx, keys.present(await keys.serviceOf(ctx).change(by, idOf(ctx), body)));
      },
    }),
    ...createEndRoutes(keys),
  ];
}

function createEndRoutes(keys: RouteDependencies['keys']): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/rotate`,
      query: ofTenant,
      summary: 'Replace a key of any tenant by a new one',
      access,
      cost: COST.change,
      body: keyRotation,
      answers: { 201: answer },
      async handle(ctx, { body: { graceSeconds }, query }) {
        const by = await managerOfKey(ctx, query);
        const { key, secret } = await keys.serviceOf(ctx).rotate(by, idOf(ctx), graceSeconds);
        sendData(ctx, keys.present(key, secret), 201);
      },
    }),
    operatorRoute({
      method: 'DELETE',
      path: `${PATH}/:id`,
      query: ofTenant,
      summary: 'Revoke a key of any tenant',
      access,
      cost: COST.change,
      body: z.strictObject({
        confirm: z.string().optional(),
        reason,
      }),
      answers: { 204: null },
      async handle(ctx, { body, query }) {
        const by = await managerOfKey(ctx, query);
        await keys.serviceOf(ctx).revoke(by, idOf(ctx), body.reason, body.confirm);
        ctx.status = 204;
      },
    }),
  ];
}

/** The operator as the manager of a tenant's keys. @throws Problem `not_found` */
async function managerOf(ctx: OperatorContext, tenant: string): Promise<KeyManager> {
  return { actor: ctx.state.actor, tenantId: await tenantIdOf(ctx, tenant) };
}

/** @throws Problem `not_found` */
async function managerOfKey(
  ctx: OperatorContext,
  { tenantId: named }: z.output<typeof ofTenant>,
): Promise<KeyManager> {
  const { manager, actor } = ctx.state;
  if (named !== undefined) return managerOf(ctx, named);
  const id = idOf(ctx);
  const tenantId = isId('key', id) ? await findTenantOfKey(manager, id) : undefined;
  if (tenantId === undefined) throw new Problem('not_found', 'Key not found.');
  return { actor, tenantId };
}
