import { z } from 'zod';

import type { Access, GuardedState } from '../credentials/index.js';
import type { RouteContext } from '../http/context.js';
import { sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import type { Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
import { createAuditReader } from './audit-reader.js';
import { ENTRY_QUERY, entryFilterOf, entryParameters } from './entry-filters.js';
import type { Exporter } from './export.js';
import { EXPORT_FORMAT_NAMES } from './export-formats.js';

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
export function createAuditRoutes({
  pagination,
  exporter,
}: Dependencies): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/audit-log',
      access: ACCESS,
      query: [...PAGE_QUERY, ...ENTRY_QUERY],
      async handle(ctx) {
        const tenantId = tenantOf(ctx);
        const search = new URLSearchParams(ctx.querystring);
        const given = parseWith(entryParameters, Object.fromEntries(search));
        const list = ['audit-log', tenantId, JSON.stringify(given)];
        const request = pagination.readPair(search, list);
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
    },
    {
      method: 'GET',
      path: '/audit-log/exports',
      access: ACCESS,
      query: ['format', ...ENTRY_QUERY],
      async handle(ctx) {
        const tenantId = tenantOf(ctx);
        const search = new URLSearchParams(ctx.querystring);
        const { format, ...given } = parseWith(exportParameters, Object.fromEntries(search));
        const reader = createAuditReader(ctx.state.manager, tenantId);
        await exporter.send(ctx, reader, tenantId, { format, filter: entryFilterOf(given) });
      },
    },
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
