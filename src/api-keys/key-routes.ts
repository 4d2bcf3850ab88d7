import type { z } from 'zod';

import {
  type Access,
  createCredentialStore,
  type GuardedState,
  type ListedCredential,
} from '../credentials/index.js';
import { reachableFrom, type Environment } from '../credentials/kinds.js';
import { readJson } from '../http/body/body.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import type { Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
import { MANAGE_KEYS, ownerOf, type KeyManager } from './authority.js';
import { credentialFilterOf, keyFilter } from './key-filter.js';
import type { KeyPresenter } from './key-presenter.js';
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

/** A path that manages keys: its guards, manager and body schemas. */
interface Managed<Guard, State extends RequestState> {
  readonly path: string;
  readonly access: Guard;
  /** Access to revoke a key. */
  readonly accessToEnd: Guard;
  /** The request's manager, and the environments and spaces that they see. */
  readonly managerOf: (ctx: RouteContext<State>) => {
    readonly by: KeyManager;
    readonly environments: readonly Environment[];
    readonly spaces: readonly string[] | null;
  };
  readonly created: z.ZodType<NewKey>;
  readonly change: z.ZodType<KeyChange>;
}

/** `/api-keys`: manages a tenant's keys. */
export function createKeyRoutes(dependencies: KeyRouteDependencies): Route<Access, GuardedState>[] {
  const access: Access = {
    scopes: [MANAGE_KEYS],
    principals: ['tenant', 'user'],
    sessions: true,
  };
  return createManagedRoutes(dependencies, {
    path: '/api-keys',
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

/** The six routes that manage keys or personal tokens. */
export function createManagedRoutes<Guard, State extends RequestState>(
  { pagination, present, serviceOf }: KeyRouteDependencies,
  { path, access, accessToEnd, managerOf, created, change }: Managed<Guard, State>,
): Route<Guard, State>[] {
  const idOf = (ctx: RouteContext<State>) => ctx.params['id'] ?? '';

  return [
    {
      method: 'GET',
      path,
      access,
      query: [...PAGE_QUERY, ...Object.keys(keyFilter.shape)],
      async handle(ctx) {
        const { by, environments, spaces } = managerOf(ctx);
        const search = new URLSearchParams(ctx.querystring);
        const given = parseWith(keyFilter, Object.fromEntries(search));
        const { environment: _environment, kind: _kind, ...rest } = given;
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
        ];
        const former = [
          ['credentials', tenantId, accountId ?? '', ...wanted.kinds, ...wanted.environments],
          ...(accountId === undefined ? [['api-keys', tenantId, ...wanted.environments]] : []),
        ];
        const request = pagination.read(search, list, former);
        const store = createCredentialStore(ctx.state.manager);
        const { found, resumeAfter } = await store.list(tenantId, wanted, request);
        const positionOf = ({ issueSeq }: ListedCredential) => Number(issueSeq);
        const page = pagination.page(found, request, list, positionOf, resumeAfter);
        sendPage(ctx, page, (key) => present(key));
      },
    },
    {
      method: 'POST',
      path,
      access,
      async handle(ctx) {
        const fields = readJson(ctx, created);
        const { key, secret } = await serviceOf(ctx).create(managerOf(ctx).by, fields);
        sendData(ctx, present(key, secret), 201);
      },
    },
    {
      method: 'GET',
      path: `${path}/:id`,
      access,
      async handle(ctx) {
        sendData(ctx, present(await serviceOf(ctx).find(managerOf(ctx).by, idOf(ctx))));
      },
    },
    {
      method: 'PATCH',
      path: `${path}/:id`,
      access,
      async handle(ctx) {
        const fields = readJson(ctx, change);
        const key = await serviceOf(ctx).change(managerOf(ctx).by, idOf(ctx), fields);
        sendData(ctx, present(key));
      },
    },
    {
      method: 'POST',
      path: `${path}/:id/rotate`,
      access,
      async handle(ctx) {
        const { graceSeconds } = readJson(ctx, keyRotation);
        const service = serviceOf(ctx);
        const { key, secret } = await service.rotate(managerOf(ctx).by, idOf(ctx), graceSeconds);
        sendData(ctx, present(key, secret), 201);
      },
    },
    {
      method: 'DELETE',
      path: `${path}/:id`,
      access: accessToEnd,
      async handle(ctx) {
        const { confirm } = readJson(ctx, keyRevocation);
        await serviceOf(ctx).revoke(managerOf(ctx).by, idOf(ctx), null, confirm);
        ctx.status = 204;
      },
    },
  ];
}
