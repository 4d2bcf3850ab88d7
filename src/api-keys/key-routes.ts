import { z } from 'zod';

import type { Access, GuardedState } from '../credentials/guard.js';
import { createCredentialStore, type StoredCredential } from '../credentials/credential-store.js';
import { ENVIRONMENTS, KEY_KINDS, reachableFrom, type Environment } from '../credentials/kinds.js';
import { readJson } from '../http/body.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { sendData, sendPage } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import type { Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
import { managedKinds, type KeyManager } from './key-manager.js';
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

/** What all routes by which keys are managed need. */
export interface KeyRouteDependencies {
  readonly pagination: Pagination;
  readonly present: KeyPresenter;
  readonly clientAddress: (request: RouteContext['req']) => string;
  /** The service on the request's own transaction. */
  readonly serviceOf: (ctx: { readonly state: Pick<RequestState, 'manager'> }) => KeyService;
}

/** What is managed at a path, by whom, and what is taken there. */
interface Managed<Guard, State extends RequestState> {
  readonly path: string;
  readonly access: Guard;
  /** Who manages, and the environments that they reach. */
  readonly managerOf: (ctx: RouteContext<State>) => {
    readonly by: KeyManager;
    readonly environments: readonly Environment[];
  };
  readonly created: z.ZodType<NewKey>;
  readonly change: z.ZodType<KeyChange>;
}

const filter = z.object({
  environment: z.enum(ENVIRONMENTS).optional(),
  kind: z.enum(KEY_KINDS).optional(),
});

/** `/api-keys`: managing a tenant's keys. */
export function createKeyRoutes(dependencies: KeyRouteDependencies): Route<Access, GuardedState>[] {
  return createManagedRoutes(dependencies, {
    path: '/api-keys',
    access: { scopes: ['api_keys:manage'], principals: ['tenant', 'user'] },
    managerOf: ({ req, state }) => {
      const { tenantId, credentialId, environment, spaces } = state.principal;
      const address = dependencies.clientAddress(req);
      const actor = { id: credentialId, address, requestId: state.requestId };
      const by = { tenantId, credentialId, acting: { environment, spaces }, actor };
      return { by, environments: reachableFrom(environment) };
    },
    created: newKey,
    change: keyChange,
  });
}

/** The six routes by which credentials are managed, whosever they are. */
export function createManagedRoutes<Guard, State extends RequestState>(
  { pagination, present, serviceOf }: KeyRouteDependencies,
  { path, access, managerOf, created, change }: Managed<Guard, State>,
): Route<Guard, State>[] {
  const idOf = (ctx: RouteContext<State>) => ctx.params['id'] ?? '';

  return [
    {
      method: 'GET',
      path,
      access,
      query: [...PAGE_QUERY, ...Object.keys(filter.shape)],
      async handle(ctx) {
        const { by, environments } = managerOf(ctx);
        const search = new URLSearchParams(ctx.querystring);
        const { environment, kind } = parseWith(filter, Object.fromEntries(search));
        const kinds = only(managedKinds(by), kind);
        const within = only(environments, environment);
        const { tenantId, accountId } = by;
        const list = ['credentials', tenantId, accountId ?? '', ...kinds, ...within];
        const request = pagination.read(search, list);
        const store = createCredentialStore(ctx.state.manager);
        const isEmpty = kinds.length === 0 || within.length === 0;
        const found = isEmpty
          ? []
          : await store.list(tenantId, { kinds, environments: within, accountId }, request);
        const positionOf = ({ issueSeq }: StoredCredential) => Number(issueSeq);
        sendPage(ctx, pagination.page(found, request, list, positionOf), (key) => present(key));
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
      access,
      async handle(ctx) {
        const { confirm } = readJson(ctx, keyRevocation);
        await serviceOf(ctx).revoke(managerOf(ctx).by, idOf(ctx), null, confirm);
        ctx.status = 204;
      },
    },
  ];
}

function only<Item>(items: readonly Item[], wanted: Item | undefined): readonly Item[] {
  return items.filter((item) => wanted === undefined || item === wanted);
}
