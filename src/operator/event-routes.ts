import { z } from 'zod';

import {
  createEventFeed,
  eventAnswer,
  eventTypesText,
  packPosition,
  presentEvent,
  unpackPosition,
} from '../events/index.js';
import { pageOf } from '../http/answers.js';
import { sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { tenantIdOf } from './named-tenant.js';
import { operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';

/** Cursors are not bound to filters: the position is one of the whole feed. */
const LIST = ['operator-events'];

/** `/operator/events`: every entry of the audit log, oldest first. */
export function createEventRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: '/operator/events',
      summary: 'Follow the events of all tenants, or of one, oldest first',
      access: { operator: 'events:read' },
      cost: COST.read,
      query: PAGE_QUERY.extend({
        after: z.string().optional(),
        types: eventTypesText.optional(),
        tenantId: z.string().optional(),
      }),
      answers: { 200: pageOf(eventAnswer) },
      async handle(ctx, { query: { limit, cursor, after, types = [], tenantId } }) {
        const { manager } = ctx.state;
        if (cursor !== undefined && after !== undefined) {
          throw new Problem('bad_request', 'Send `after` or `cursor`, which mean the same.');
        }
        const given = cursor ?? (after === '' ? undefined : after);
        const feed = createEventFeed(manager);
        const readCursor = () => {
          const { after: text } = pagination.readText({ limit, cursor: given }, LIST);
          return text === undefined ? undefined : unpackPosition(text);
        };
        const start =
          given?.startsWith('evt_') === true ? await feed.positionAfter(given) : readCursor();
        const { events, position, hasMore } = await feed.read(
          start,
          { types, tenantId: await tenantIdOf(ctx, tenantId) },
          limit,
        );
        const next = pagination.cursorText(packPosition(position), LIST);
        sendPage(ctx, { items: events, cursor: next, hasMore }, presentEvent);
      },
    }),
  ];
}
