import { z } from 'zod';

import { createClientStore } from '../clients/index.js';
import {
  createAppConnections,
  createGrantStore,
  findGrants,
  type ListedGrant,
} from '../grants/index.js';
import { pageOf, time } from '../http/answers.js';
import { sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { invalid } from '../http/validation.js';
import { SCOPES } from '../scopes/catalog.js';
import { operatorRoute, type OperatorRoute } from './operator-guard.js';
import { reason } from './reason.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/grants';
const access = { operator: 'credentials:manage' } as const;

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

/** `/operator/grants` */
export function createGrantRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the grants of an account, or in a tenant, newest first',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend({
        accountId: z.string().optional(),
        tenantId: z.string().optional(),
        clientId: z.string().optional(),
      }),
      answers: { 200: pageOf(grantAnswer) },
      async handle(ctx, { query: { limit, cursor, ...given } }) {
        const filter = filterOf(given);
        const list = ['operator-grants', JSON.stringify(filter)];
        const request = pagination.read({ limit, cursor }, list);
        const { found, resumeAfter } = await findGrants(ctx.state.manager, filter, request);
        const positionOf = ({ issueSeq }: ListedGrant) => Number(issueSeq);
        sendPage(ctx, pagination.page(found, request, list, positionOf, resumeAfter), present);
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
        if (grant === undefined) throw new Problem('not_found', 'Grant not found.');
        const connections = createAppConnections(manager, createClientStore(manager));
        await connections.end(actor, [grant], body.reason);
        ctx.status = 204;
      },
    }),
  ];
}

/** @throws Problem `validation_failed` without an account and a tenant */
function filterOf({
  accountId,
  tenantId,
  clientId,
}: {
  readonly accountId?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly clientId?: string | undefined;
}) {
  if (accountId !== undefined) return { accountId, tenantId, clientId };
  if (tenantId !== undefined) return { tenantId, clientId };
  const message = 'or accountId must be given';
  throw invalid([{ field: 'tenantId', code: 'required', message }]);
}

function present(grant: ListedGrant) {
  const { id, status, tenantId, accountId, clientId, clientName, scopes, createdAt, lastUsedAt } =
    grant;
  return {
    id,
    status,
    tenantId,
    accountId,
    clientId,
    clientName,
    scopes,
    createdAt,
    lastUsedAt,
  };
}
