import { z } from 'zod';

import {
  type Access,
  guardedRoute,
  type GuardedRoute,
  type GuardedState,
} from '../credentials/index.js';
import { pageOf } from '../http/answers.js';
import type { RouteContext } from '../http/context.js';
import { sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { createAuditReader } from './audit-reader.js';
import { entryFilterOf, entryParameters } from './entry-filters.js';
import { entryAnswer } from './entry-presenter.js';
import type { Exporter } from './export.js';
import { EXPORT_FORMAT_NAMES, EXPORT_FORMATS } from './export-formats.js';

const ACCESS: Access = {
  scopes: ['audit:read'],
  principals: ['tenant', 'user', 'service', 'agent'],
  sessions: true,
};

const exportParameters = entryParameters.extend({
  format: z.enum(EXPORT_FORMAT_NAMES).default('csv'),
});

interface Dependencies {
  readonly pagination: Pagination;
  readonly exporter: Exporter;
}

/** `/audit-log`: the entries of the caller's tenant, newest first, and their export. */
export function createAuditRoutes({ pagination, exporter }: Dependencies): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/audit-log',
      summary: 'List the entries of the audit log, newest first',
      access: ACCESS,
      cost: COST.read,
      query: PAGE_QUERY.extend(entryParameters.shape),
      answers: { 200: pageOf(entryAnswer) },
      async handle(ctx, { query: { limit, cursor, ...given } }) {
        const tenantId = tenantOf(ctx);
        const list = ['audit-log', tenantId, JSON.stringify(given)];
        const request = pagination.readPair({ limit, cursor }, list);
        const reader = createAuditReader(ctx.state.manager, tenantId);
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
    guardedRoute({
      method: 'GET',
      path: '/audit-log/exports',
      summary: 'Export the audit log',
      access: ACCESS,
      cost: COST.export,
      query: exportParameters,
      answers: { 200: { mediaTypes: Object.values(EXPORT_FORMATS).map((each) => each.mediaType) } },
      async handle(ctx, { query: { format, ...given } }) {
        const tenantId = tenantOf(ctx);
        const reader = createAuditReader(ctx.state.manager, tenantId);
        await exporter.send(ctx, reader, tenantId, { format, filter: entryFilterOf(given) });
      },
    }),
  ];
}

/** @throws Problem `forbidden` for a credential that is restricted to some spaces: the log tells of all of them */
function tenantOf({ state: { principal } }: RouteContext<GuardedState>): string {
  if (principal.spaces === null) return principal.tenantId;
  throw new Problem(
    'forbidden',
    'The audit log tells of every space. The credential is restricted to some.',
  );
}
