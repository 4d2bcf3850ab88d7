import { z } from 'zod';

import {
  createAuditReader,
  entryAnswer,
  entryFilterOf,
  entryParameters,
} from '../audit-log/index.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { environmentOf, historyAnswer, readHistory, usageParameters } from '../usage/index.js';
import { tenantIdOf } from './named-tenant.js';
import { operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';

const access = { operator: 'events:read' } as const;

/** `/operator/audit-log` and `/operator/usage` */
export function createAuditRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: '/operator/audit-log',
      summary: 'List the audit log of all tenants, or of one, newest first',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend(entryParameters.shape).extend({ tenantId: z.string().optional() }),
      answers: { 200: pageOf(entryAnswer) },
      async handle(ctx, { query: { limit, cursor, tenantId: named, ...given } }) {
        const { manager } = ctx.state;
        const tenantId = await tenantIdOf(ctx, named);
        const list = ['operator-audit-log', tenantId ?? '', JSON.stringify(given)];
        const request = pagination.readPair({ limit, cursor }, list);
        const reader = createAuditReader(manager, tenantId);
        const { found, resumeAfter } = await reader.list(entryFilterOf(given), request);
        const page = pagination.pagePair(
          found,
          request,
          list,
          ({ position }) => position,
          resumeAfter,
        );
        sendPage(ctx, page, ({ entry }) => entry);
      },
    }),
    operatorRoute({
      method: 'GET',
      path: '/operator/usage',
      summary: 'Show how many requests of a tenant were answered, by hour or day',
      access,
      cost: COST.read,
      query: usageParameters.extend({
        tenantId: z.string(),
        environment: z.enum(ENVIRONMENTS).default('live'),
      }),
      answers: { 200: dataOf(historyAnswer) },
      async handle(ctx, { query: { key, ...query } }) {
        const { manager } = ctx.state;
        const { tenantId: named, environment: asked, ...given } = query;
        const tenantId = await tenantIdOf(ctx, named);
        const visible = { tenantId, environment: asked, spaces: null };
        const environment = await environmentOf(manager, visible, key);
        sendData(ctx, await readHistory(manager, { tenantId, environment }, key, given));
      },
    }),
  ];
}
