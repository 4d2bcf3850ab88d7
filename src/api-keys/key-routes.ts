import { z } from 'zod';

import type { Access, GuardedState } from '../credentials/guard.js';
import { createCredentialStore, type StoredCredential } from '../credentials/credential-store.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import { readJson } from '../http/body.js';
import type { RouteContext } from '../http/context.js';
import { sendData, sendPage } from '../http/envelope.js';
import type { Pagination } from '../http/pagination.js';
import type { Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
import { manageableFrom } from './ceiling.js';
import { presentKey } from './key-presenter.js';
import { keyChange, keyRevocation, keyRotation, newKey } from './key-schema.js';
import type { KeyManager, KeyService } from './key-service.js';

type KeyContext = RouteContext<GuardedState>;

interface Dependencies {
  readonly pagination: Pagination;
  readonly clientAddress: (request: KeyContext['req']) => string;
  /** The service on the request's own transaction. */
  readonly serviceOf: (ctx: KeyContext) => KeyService;
}

const ACCESS: Access = { scopes: ['api_keys:manage'], principals: ['tenant', 'user'] };

const filter = z.object({ environment: z.enum(ENVIRONMENTS).optional() });

/** `/api-keys`: managing a tenant's keys. */
export function createKeyRoutes({
  pagination,
  clientAddress,
  serviceOf,
}: Dependencies): Route<Access, GuardedState>[] {
  const managerOf = ({ req, state }: KeyContext): KeyManager => ({
    tenantId: state.principal.tenantId,
    credentialId: state.principal.credentialId,
    actor: {
      id: state.principal.credentialId,
      address: clientAddress(req),
      requestId: state.requestId,
    },
  });
  const idOf = (ctx: KeyContext) => ctx.params['id'] ?? '';

  return [
    {
      method: 'GET',
      path: '/api-keys',
      access: ACCESS,
      async handle(ctx) {
        const { tenantId, environment } = ctx.state.principal;
        const search = new URLSearchParams(ctx.querystring);
        const wanted = parseWith(filter, Object.fromEntries(search)).environment;
        const environments = manageableFrom(environment).filter(
          (candidate) => wanted === undefined || candidate === wanted,
        );
        const list = ['api-keys', tenantId, ...environments];
        const request = pagination.read(search, list);
        const found =
          environments.length === 0
            ? []
            : await createCredentialStore(ctx.state.manager).list(
                tenantId,
                { kinds: ['secret'], environments },
                request,
              );
        const positionOf = ({ issueSeq }: StoredCredential) => Number(issueSeq);
        sendPage(ctx, pagination.page(found, request, list, positionOf), presentKey);
      },
    },
    {
      method: 'POST',
      path: '/api-keys',
      access: ACCESS,
      async handle(ctx) {
        const { key, secret } = await serviceOf(ctx).create(managerOf(ctx), readJson(ctx, newKey));
        sendData(ctx, { ...presentKey(key), key: secret }, 201);
      },
    },
    {
      method: 'GET',
      path: '/api-keys/:id',
      access: ACCESS,
      async handle(ctx) {
        sendData(ctx, presentKey(await serviceOf(ctx).find(managerOf(ctx), idOf(ctx))));
      },
    },
    {
      method: 'PATCH',
      path: '/api-keys/:id',
      access: ACCESS,
      async handle(ctx) {
        const change = readJson(ctx, keyChange);
        const key = await serviceOf(ctx).change(managerOf(ctx), idOf(ctx), change);
        sendData(ctx, presentKey(key));
      },
    },
    {
      method: 'POST',
      path: '/api-keys/:id/rotate',
      access: ACCESS,
      async handle(ctx) {
        const { graceSeconds } = readJson(ctx, keyRotation);
        const service = serviceOf(ctx);
        const { key, secret } = await service.rotate(managerOf(ctx), idOf(ctx), graceSeconds);
        sendData(ctx, { ...presentKey(key), key: secret }, 201);
      },
    },
    {
      method: 'DELETE',
      path: '/api-keys/:id',
      access: ACCESS,
      async handle(ctx) {
        const { confirm } = readJson(ctx, keyRevocation);
        await serviceOf(ctx).revoke(managerOf(ctx), idOf(ctx), null, confirm);
        ctx.status = 204;
      },
    },
  ];
}
