import { z } from 'zod';

import { dataOf, pageOf, time } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import {
  createResourceServerService,
  type IssuedServer,
  newResourceServer,
  type ResourceServer,
  resourceServerChange,
  serverRotation,
} from '../resource-servers/index.js';
import { SCOPES } from '../scopes/catalog.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import { reason } from './reason.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/resources';
const access = { operator: 'resources:manage' } as const;

const serverAnswer = z.strictObject({
  id: z.string(),
  identifier: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)).nullable(),
  acceptsKeys: z.boolean(),
  dynamicClients: z.boolean(),
  createdAt: time,
});
const credentialAnswer = z.strictObject({
  id: z.string(),
  masked: z.string(),
  createdAt: time,
  expiresAt: time.nullable(),
});
/** The credential is in this one answer only. */
const issuedAnswer = dataOf(serverAnswer.extend({ credential: z.string() }));

/** `/operator/resources`: resource servers, by their id or identifier. */
export function createResourceRoutes(dependencies: RouteDependencies): OperatorRoute[] {
  const { pagination } = dependencies;
  const serviceOf = ({ state: { manager } }: OperatorContext) =>
    createResourceServerService({ ...dependencies, manager });
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the resource servers, by identifier',
      access,
      cost: COST.read,
      query: PAGE_QUERY,
      answers: { 200: pageOf(serverAnswer) },
      async handle(ctx, { query }) {
        const list = ['operator-resources'];
        const request = pagination.readText(query, list);
        const { limit, after } = request;
        const found = await serviceOf(ctx).list({ limit: limit + 1, after });
        const page = pagination.pageText(found, request, list, ({ identifier }) => identifier);
        sendPage(ctx, page, present);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Register a resource server',
      access,
      cost: COST.change,
      body: newResourceServer,
      answers: { 201: issuedAnswer },
      async handle(ctx, { body }) {
        sendData(ctx, presentIssued(await serviceOf(ctx).add(ctx.state.actor, body)), 201);
      },
    }),
    ...createItemRoutes(serviceOf),
  ];
}

function createItemRoutes(
  serviceOf: (ctx: OperatorContext) => ReturnType<typeof createResourceServerService>,
): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show a resource server with its credentials, masked',
      access,
      cost: COST.read,
      answers: { 200: dataOf(serverAnswer.extend({ credentials: z.array(credentialAnswer) })) },
      async handle(ctx) {
        const service = serviceOf(ctx);
        const server = await service.find(idOf(ctx));
        sendData(ctx, {
          ...present(server),
          credentials: await service.credentialsOf(server.id),
        });
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change members of a resource server',
      access,
      cost: COST.change,
      body: resourceServerChange,
      answers: { 200: dataOf(serverAnswer) },
      async handle(ctx, { body }) {
        sendData(ctx, present(await serviceOf(ctx).change(ctx.state.actor, idOf(ctx), body)));
      },
    }),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/rotate`,
      summary: 'Issue another credential of a resource server',
      access,
      cost: COST.change,
      body: serverRotation,
      answers: { 201: issuedAnswer },
      async handle(ctx, { body: { graceSeconds } }) {
        const issued = await serviceOf(ctx).rotate(ctx.state.actor, idOf(ctx), graceSeconds);
        sendData(ctx, presentIssued(issued), 201);
      },
    }),
    operatorRoute({
      method: 'DELETE',
      path: `${PATH}/:id`,
      summary: 'Remove a resource server and end its tokens',
      access,
      cost: COST.change,
      body: z.strictObject({ reason }),
      answers: { 204: null },
      async handle(ctx, { body }) {
        await serviceOf(ctx).remove(ctx.state.actor, idOf(ctx), body.reason);
        ctx.status = 204;
      },
    }),
  ];
}

function present(server: ResourceServer) {
  const { id, identifier, name, scopes, acceptsKeys, dynamicClients, createdAt } = server;
  return { id, identifier, name, scopes, acceptsKeys, dynamicClients, createdAt };
}

function presentIssued({ server, secret }: IssuedServer) {
  return { ...present(server), credential: secret };
}
