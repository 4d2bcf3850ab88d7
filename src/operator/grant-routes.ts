import { z } from 'zod';

import { createClientStore } from '../clients/index.js';
import {
  createAppConnections,
  createGrantStore,
  findGrant,
  findGrants,
  type GrantFilter,
  type ListedGrant,
  presentEndedGrant,
  presentGrant,
} from '../grants/index.js';
import { createAccountStore } from '../accounts/index.js';
import { dataOf, pageOf, time } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { text } from '../http/validation.js';
import { SCOPES } from '../scopes/catalog.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import { tenantIdOf, wrongSelection } from './named-tenant.js';
import { reason } from './reason.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/grants';
const access = { operator: 'credentials:manage' } as const;
const MAX_ID = 100;
const MAX_EMAIL = 254;
/** A client's id can be a URL. */
const MAX_CLIENT_ID = 2200;

const grantAnswer = z.strictObject({
  id: z.string(),
  status: z.enum(['active', 'revoked', 'expired']),
  tenantId: z.string(),
  accountId: z.string(),
  clientId: z.string(),
  clientName: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  createdAt: time,
  lastUsedAt: time.nullable(),
});

const endedAnswer = grantAnswer
  .pick({ id: true, tenantId: true, accountId: true, clientId: true })
  .extend({ status: z.literal('revoked'), reason: z.string().nullable() });

/** The account by its id or its address, the tenant by its id or slug. */
const selection = z.strictObject({
  accountId: text(MAX_ID).optional(),
  email: text(MAX_EMAIL).optional(),
  tenantId: text(MAX_ID).optional(),
  clientId: text(MAX_CLIENT_ID).optional(),
});

/** `/operator/grants` */
export function createGrantRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the grants of an account, or in a tenant, newest first',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend(selection.shape),
      answers: { 200: pageOf(grantAnswer) },
      async handle(ctx, { query: { limit, cursor, ...given } }) {
        const filter = await filterOf(ctx, given);
        const list = ['operator-grants', JSON.stringify(filter)];
        const request = pagination.read({ limit, cursor }, list);
        const { found, resumeAfter } = await findGrants(ctx.state.manager, filter, request);
        const positionOf = ({ issueSeq }: ListedGrant) => Number(issueSeq);
        sendPage(ctx, pagination.page(found, request, list, positionOf, resumeAfter), presentGrant);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/revoke`,
      summary: 'End the active grants of an account, with all their tokens',
      access,
      cost: COST.change,
      body: selection.extend({ reason }),
      answers: { 200: dataOf(z.array(endedAnswer)) },
      async handle(ctx, { body: { reason: why, ...given } }) {
        const filter = await filterOf(ctx, given);
        const { accountId, tenantId, clientId } = filter;
        if (accountId === undefined) throw wrongSelection('accountId', 'or email must be given');
        const which = { accountId, tenantId, clientId };
        const ended = await connectionsOf(ctx).endOfAccount(ctx.state.actor, which, why);
        sendData(
          ctx,
          ended.map((grant) => presentEndedGrant(grant, why)),
        );
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
      summary: 'Show a grant',
      access,
      cost: COST.read,
      answers: { 200: dataOf(grantAnswer) },
      async handle(ctx) {
        const grant = await findGrant(ctx.state.manager, idOf(ctx));
        if (grant === undefined) throw notFound();
        sendData(ctx, presentGrant(grant));
      },
    }),
    operatorRoute({
      method: 'DELETE',
      path: `${PATH}/:id`,
      summary: 'End a grant and all its tokens',
      access,
      cost: COST.change,
      body: z.strictObject({ reason }),
      answers: { 204: null },
      async handle(ctx, { body }) {
        const { manager, actor } = ctx.state;
        const grant = await createGrantStore(manager).findAnywhere(idOf(ctx));
        if (grant === undefined) throw notFound();
        await connectionsOf(ctx).end(actor, [grant], body.reason);
        ctx.status = 204;
      },
    }),
  ];
}

function connectionsOf({ state: { manager } }: OperatorContext) {
  return createAppConnections(manager, createClientStore(manager));
}

function notFound(): Problem {
  return new Problem('not_found', 'Grant not found.');
}

/** @throws Problem `validation_failed` without an account and a tenant; `not_found` for an unknown one */
async function filterOf(
  ctx: OperatorContext,
  { accountId, email, tenantId: named, clientId }: z.output<typeof selection>,
): Promise<GrantFilter> {
  const tenantId = await tenantIdOf(ctx, named);
  if (accountId !== undefined && email !== undefined) {
    throw wrongSelection('email', 'or accountId must be given, and not both');
  }
  if (accountId !== undefined) return { accountId, tenantId, clientId };
  if (email !== undefined) {
    const account = await createAccountStore(ctx.state.manager).findByEmail(email);
    if (account === undefined) throw new Problem('not_found', `There is no account ${email}.`);
    return { accountId: account.id, tenantId, clientId };
  }
  if (tenantId !== undefined) return { tenantId, clientId };
  throw wrongSelection('tenantId', 'or accountId must be given');
}
