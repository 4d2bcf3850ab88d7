import type { z } from 'zod';

import {
  type Access,
  createCredentialStore,
  guardedRoute,
  type GuardedRoute,
} from '../credentials/index.js';
import { reachableFrom, type Environment } from '../credentials/kinds.js';
import { dataOf, pageOf } from '../http/answers.js';
import { namesOfFilter } from '../http/annotations.js';
import type { ApiRoute, DeclareRoute } from '../http/api-route.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { sendData, sendPageText } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { MANAGE_KEYS, ownerOf, type KeyManager } from './authority.js';
import { credentialFilterOf, keyFilter } from './key-filter.js';
import { readKeyPage } from './key-page.js';
import { keyAnswer, type KeyPresenter } from './key-presenter.js';
import {
  keyChange,
  keyRevocation,
  keyRotation,
  newKey,
  type KeyChange,
  type NewKey,
} from './key-schema.js';
import type { KeyService } from './key-service.js';

/** Dependencies of the routes that manage keys. */
export interface KeyRouteDependencies {
  readonly pagination: Pagination;
  readonly present: KeyPresenter;
  readonly clientAddress: (request: RouteContext['req']) => string;
  /** The service in the request's transaction. */
  readonly serviceOf: (ctx: { readonly state: Pick<RequestState, 'manager'> }) => KeyService;
}

/** A manager, with the environments and spaces that they see. */
interface Managing {
  readonly by: KeyManager;
  readonly environments: readonly Environment[];
  readonly spaces: readonly string[] | null;
}

/** A path that manages keys: its guards, manager and body schemas. */
interface Managed<Guard, State extends RequestState> {
  readonly path: string;
  /** The names of one of them and of several, for the summaries. */
  readonly nouns: readonly [one: string, several: string];
  readonly declare: DeclareRoute<Guard, State>;
  readonly access: Guard;
  /** Access to revoke a key. */
  readonly accessToEnd: Guard;
  /** The request's manager, and the environments and spaces that they see. */
  readonly managerOf: (ctx: RouteContext<State>) => Managing;
  readonly created: z.ZodType<NewKey>;
  readonly change: z.ZodType<KeyChange>;
}

/** `/api-keys`: manages a tenant's keys. */
export function createKeyRoutes(dependencies: KeyRouteDependencies): GuardedRoute[] {
  const access: Access = {
    scopes: [MANAGE_KEYS],
    principals: ['tenant', 'user'],
    sessions: true,
  };
  return createManagedRoutes(dependencies, {
    path: '/api-keys',
    nouns: ['key', 'keys'],
    declare: guardedRoute,
    access,
    accessToEnd: { ...access, orItself: true },
    managerOf: ({ req, state }) => {
      const { tenantId, credentialId, environment, spaces } = state.principal;
      const address = dependencies.clientAddress(req);
      if (state.member !== undefined) {
        const { accountId, sessionId } = state.member;
        const actor = { id: accountId, address, requestId: state.requestId };
        const by = { tenantId, accountId, sessionId, isForTenant: true, actor };
        return { by, environments: reachableFrom(environment), spaces };
      }
      const actor = { id: credentialId, address, requestId: state.requestId };
      const by = { tenantId, credentialId, acting: { environment, spaces }, actor };
      return { by, environments: reachableFrom(environment), spaces };
    },
    created: newKey,
    change: keyChange,
  });
}

const LIST_QUERY = PAGE_QUERY.extend(keyFilter.shape);

/** The six routes that manage keys or personal tokens. */
export function createManagedRoutes<Guard, State extends RequestState>(
  dependencies: KeyRouteDependencies,
  managed: Managed<Guard, State>,
): ApiRoute<Guard, State>[] {
  const { present, serviceOf } = dependencies;
  const { path, nouns, declare, access, managerOf, created } = managed;
  const [noun, several] = nouns;
  return [
    declare({
      method: 'GET',
      path,
      summary: `List ${several}, newest first`,
      access,
      cost: COST.read,
      query: LIST_QUERY,
      answers: { 200: pageOf(keyAnswer) },
      handle: (ctx, { query }) => sendList(ctx, managerOf(ctx), query, dependencies),
    }),
    declare({
      method: 'POST',
      path,
      summary: `Create a ${noun}`,
      access,
      cost: COST.change,
      body: created,
      answers: { 201: dataOf(keyAnswer) },
      async handle(ctx, { body }) {
        const { key, secret } = await serviceOf(ctx).create(managerOf(ctx).by, body);
        sendData(ctx, present(key, secret), 201);
      },
    }),
    declare({
      method: 'GET',
      path: `${path}/:id`,
      summary: `Show a ${noun}`,
      access,
      cost: COST.read,
      answers: { 200: dataOf(keyAnswer) },
      async handle(ctx) {
        sendData(ctx, present(await serviceOf(ctx).find(managerOf(ctx).by, idOf(ctx))));
      },
    }),
    ...createChangeRoutes(dependencies, managed),
  ];
}

function createChangeRoutes<Guard, State extends RequestState>(
  { present, serviceOf }: KeyRouteDependencies,
  managed: Managed<Guard, State>,
): ApiRoute<Guard, State>[] {
  const { path, nouns, declare, access, accessToEnd, managerOf, change } = managed;
  const [noun] = nouns;
  return [
    declare({
      method: 'PATCH',
      path: `${path}/:id`,
      summary: `Change members of a ${noun}`,
      access,
      cost: COST.change,
      body: change,
      answers: { 200: dataOf(keyAnswer) },
      async handle(ctx, { body }) {
        const key = await serviceOf(ctx).change(managerOf(ctx).by, idOf(ctx), body);
        sendData(ctx, present(key));
      },
    }),
    declare({
      method: 'POST',
      path: `${path}/:id/rotate`,
      summary: `Replace a ${noun} by a new one`,
      access,
      cost: COST.change,
      body: keyRotation,
      answers: { 201: dataOf(keyAnswer) },
      async handle(ctx, { body: { graceSeconds } }) {
        const service = serviceOf(ctx);
        const { key, secret } = await service.rotate(managerOf(ctx).by, idOf(ctx), graceSeconds);
        sendData(ctx, present(key, secret), 201);
      },
    }),
    declare({
      method: 'DELETE',
      path: `${path}/:id`,
      summary: `Revoke a ${noun}`,
      access: accessToEnd,
      cost: COST.change,
      body: keyRevocation,
      answers: { 204: null },
      async handle(ctx, { body: { confirm } }) {
        await serviceOf(ctx).revoke(managerOf(ctx).by, idOf(ctx), null, confirm);
        ctx.status = 204;
      },
    }),
  ];
}

function idOf(ctx: Pick<RouteContext, 'params'>): string {
  return ctx.params['id'] ?? '';
}

async function sendList(
  ctx: RouteContext,
  { by, environments, spaces }: Managing,
  { limit, cursor, ...given }: z.output<typeof LIST_QUERY>,
  { pagination, present }: Pick<KeyRouteDependencies, 'pagination' | 'present'>,
): Promise<void> {
  const { environment: _environment, kind: _kind, externalId, metadata, ...rest } = given;
  const { tenantId } = by;
  const accountId = ownerOf(by);
  const wanted = credentialFilterOf(given, { by, environments, spaces });
  const list = [
    'credentials',
    tenantId,
    accountId ?? '',
    ...wanted.kinds,
    ...wanted.environments,
    ...(spaces ?? []),
    ...Object.entries(rest).map(([name, value]) => `${name}=${value}`),
    ...namesOfFilter({ externalId, metadata }),
  ];
  const former = [
    ['credentials', tenantId, accountId ?? '', ...wanted.kinds, ...wanted.environments],
    ...(accountId === undefined ? [['api-keys', tenantId, ...wanted.environments]] : []),
  ];
  const request = pagination.read({ limit, cursor }, list, former);
  const store = createCredentialStore(ctx.state.manager);
  const { rows, resumeAfter } = await readKeyPage(store, tenantId, wanted, request, present);
  sendPageText(
    ctx,
    pagination.page(rows, request, list, ({ id }) => id, resumeAfter),
  );
}
