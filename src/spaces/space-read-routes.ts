import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { type Access, guardedRoute, type GuardedRoute } from '../credentials/index.js';
import type { Found } from '../db/space-rows.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPageText } from '../http/envelope.js';
import { PAGE_QUERY, type PageRequest, type Pagination } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { readRowId } from '../http/row-id.js';
import type { SpaceContext } from './space-context.js';
import type { SpaceContextResolver } from './space-context-resolver.js';

/** The readable part of a resource whose rows belong to spaces. */
interface SpaceResource<Row extends { readonly id: string }, Filters extends z.ZodObject> {
  /** The path of the list, such as `/contacts`. A single row is below it. */
  readonly path: string;
  /** The names of a row and of several, for the summaries. */
  readonly nouns: readonly [one: string, several: string];
  readonly access: Access;
  readonly storeOf: (manager: EntityManager) => {
    /** The rows as they are presented, but written as JSON. */
    list(context: SpaceContext, page: PageRequest, filters: z.output<Filters>): Promise<Found>;
    find(context: SpaceContext, id: number): Promise<Row | undefined>;
  };
  /** The schema of the list's filters. */
  readonly filters: Filters;
  /** The schema of a presented row. */
  readonly answer: z.ZodType;
  readonly present: (row: Row) => unknown;
  /** Throws the Problem for a row that does not exist. */
  readonly notFound: () => never;
}

export interface SpaceReadDependencies {
  readonly pagination: Pagination;
  readonly spaceContext: SpaceContextResolver;
}

/** The routes that list the rows of the request's space, newest first, and show one of them. */
export function createSpaceReadRoutes<
  Row extends { readonly id: string },
  Filters extends z.ZodObject,
>(
  { pagination, spaceContext }: SpaceReadDependencies,
  resource: SpaceResource<Row, Filters>,
): GuardedRoute[] {
  const { path, nouns, access, storeOf, filters, answer, present, notFound } = resource;
  const names = Object.keys(filters.shape);
  return [
    guardedRoute({
      method: 'GET',
      path,
      summary: `List ${nouns[1]}, newest first`,
      access,
      cost: COST.read,
      query: z.object({ ...PAGE_QUERY.shape, ...filters.shape }),
      answers: { 200: pageOf(answer) },
      async handle(ctx, { query }) {
        const context = await spaceContext.resolve(ctx);
        const list = [path, context.tenantId, context.environment, context.spaceId];
        // As they were sent, as in the first release, so that its cursors remain valid.
        if (names.some((name) => Object.hasOwn(query, name))) {
          const sent = new URLSearchParams(ctx.querystring);
          for (const name of names) if (sent.has(name)) list.push(`${name}=${sent.get(name)}`);
        }
        // Without the slash, likewise.
        const former = [path.slice(1), context.tenantId, context.environment, context.spaceId];
        const request = pagination.read(query, list, [former]);
        const filter = query as unknown as z.output<Filters>;
        const found = await storeOf(ctx.state.manager).list(context, request, filter);
        const { rows, resumeAfter } = found;
        sendPageText(
          ctx,
          pagination.page(rows, request, list, ({ id }) => id, resumeAfter),
        );
      },
    }),
    guardedRoute({
      method: 'GET',
      path: `${path}/:id`,
      summary: `Show a ${nouns[0]}`,
      access,
      cost: COST.read,
      answers: { 200: dataOf(answer) },
      async handle(ctx) {
        const context = await spaceContext.resolve(ctx);
        const id = readRowId(ctx.params['id']) ?? notFound();
        sendData(ctx, present((await storeOf(ctx.state.manager).find(context, id)) ?? notFound()));
      },
    }),
  ];
}
