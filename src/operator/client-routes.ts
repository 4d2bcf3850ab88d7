import { z } from 'zod';

import {
  createClientAdministration,
  createClientStore,
  type ListedClient,
  presentClient,
  registrationRequest,
} from '../clients/index.js';
import { createAppConnections } from '../grants/index.js';
import { dataOf, pageOf, time } from '../http/answers.js';
import { parseJson } from '../http/body/body.js';
import { sendData, sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { tenantIdOf } from './named-tenant.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import { reason } from './reason.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/clients';
const access = { operator: 'clients:manage' } as const;

const clientAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  type: z.enum(['public', 'confidential']),
  status: z.enum(['active', 'blocked']),
  verified: z.boolean(),
  createdAt: time,
});
const details = clientAnswer.extend({
  requiresPushedRequests: z.boolean(),
  blockedAt: time.nullable(),
  blockedInTenants: z.array(z.string()),
  metadata: z.record(z.string(), z.unknown()),
});
const answer = dataOf(details);
/** `null`: in all tenants. */
const tenantId = z.string().nullable().default(null);

/** `/operator/clients`. An id that is a URL is percent-encoded in paths. */
export function createClientRoutes({
  pagination,
  preRegistration,
}: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the clients, newest first',
      access,
      cost: COST.read,
      query: PAGE_QUERY,
      answers: { 200: pageOf(clientAnswer) },
      async handle(ctx, { query }) {
        const list = ['operator-clients'];
        const request = pagination.readText(query, list);
        const found = await createClientStore(ctx.state.manager).list({
          limit: request.limit + 1,
          after: positionIn(request.after),
        });
        const page = pagination.pageText(found, request, list, positionOf);
        sendPage(ctx, page, presentClient);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Register a client ahead, verified',
      access,
      cost: COST.change,
      ownBody: registrationRequest,
      answers: {
        201: dataOf(
          details.extend({ clientSecret: z.string().optional(), registrationToken: z.string() }),
        ),
      },
      async handle(ctx) {
        const { manager, actor } = ctx.state;
        const { client, registrationToken, clientSecret } = await preRegistration.register(
          manager,
          actor,
          parseJson(ctx.state.rawBody),
        );
        const described = await createClientAdministration(manager).describe(client);
        const secret = clientSecret === undefined ? {} : { clientSecret };
        sendData(ctx, { ...described, ...secret, registrationToken }, 201);
      },
    }),
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show a client with its metadata',
      access,
      cost: COST.read,
      answers: { 200: answer },
      handle: sendDetails,
    }),
    ...createDecisionRoutes(),
  ];
}

const clientChange = z.strictObject({
  verified: z.boolean().optional(),
  requiresPushedRequests: z.boolean().optional(),
});

function createDecisionRoutes(): OperatorRoute[] {
  const block = (verb: 'block' | 'unblock', summary: string) =>
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/${verb}`,
      summary,
      access,
      cost: COST.change,
      body: z.strictObject({ tenantId, reason }),
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const { manager, actor } = ctx.state;
        const { id } = await createClientAdministration(manager).find(idOf(ctx));
        const tenantId = body.tenantId === null ? null : await tenantIdOf(ctx, body.tenantId);
        const blocked = { clientId: id, tenantId };
        await connectionsOf(ctx).setBlocked(actor, blocked, verb === 'block', body.reason);
        await sendDetails(ctx);
      },
    });
  return [
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Verify a client, or require pushed requests of it',
      access,
      cost: COST.change,
      body: clientChange,
      answers: { 200: answer },
      async handle(ctx, { body: { verified, requiresPushedRequests } }) {
        const { manager, actor } = ctx.state;
        const clients = createClientAdministration(manager);
        const id = idOf(ctx);
        if (verified !== undefined) await clients.setVerified(actor, id, verified);
        if (requiresPushedRequests !== undefined) {
          await clients.setRequiresPushedRequests(actor, id, requiresPushedRequests);
        }
        await sendDetails(ctx);
      },
    }),
    block('block', 'Block a client, in one tenant or in all'),
    block('unblock', 'Admit a blocked client again'),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/revoke`,
      summary: 'End everything that was issued through a client',
      access,
      cost: COST.change,
      body: z.strictObject({ reason }),
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const client = await createClientAdministration(ctx.state.manager).find(idOf(ctx));
        await connectionsOf(ctx).endOfClient(ctx.state.actor, client, null, body.reason);
        await sendDetails(ctx);
      },
    }),
  ];
}

function connectionsOf({ state: { manager } }: OperatorContext) {
  return createAppConnections(manager, createClientStore(manager));
}

async function sendDetails(ctx: OperatorContext): Promise<void> {
  const clients = createClientAdministration(ctx.state.manager);
  sendData(ctx, await clients.describe(await clients.find(idOf(ctx))));
}

const positionOf = ({ id, position }: ListedClient) => `${position} ${id}`;

/** @throws Problem `bad_request` for a position of another form */
function positionIn(text: string | undefined) {
  if (text === undefined) return undefined;
  const [, createdAt = '', id = ''] = /^(\S+ \S+) (\S+)$/.exec(text) ?? [];
  if (id === '') throw new Problem('bad_request', 'The cursor was not made by this list.');
  return { createdAt, id };
}
