import { z } from 'zod';

import {
  type SessionAccess,
  sessionRoute,
  type SessionRoute,
  type SessionState,
} from '../credentials/index.js';
import type { BlockedClient } from '../clients/index.js';
import type { ListedGrant } from '../grants/index.js';
import { pageOf, time } from '../http/answers.js';
import type { RouteContext } from '../http/context.js';
import { sendPage } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import { describeRedirect } from '../http/redirect-target.js';
import { COST } from '../http/route-declaration.js';
import { SCOPES } from '../scopes/catalog.js';
import { appFilter, block, disconnection } from './schema.js';
import type { AppUser, ConnectedApps } from './service.js';

type AppContext = RouteContext<SessionState>;

export interface AppRouteDependencies {
  readonly pagination: Pagination;
  readonly clientAddress: (request: AppContext['req']) => string;
  /** The service in the request's transaction. */
  readonly serviceOf: (ctx: { readonly state: Pick<SessionState, 'manager'> }) => ConnectedApps;
}

const MEMBER: SessionAccess = { session: 'member' };

const installationAnswer = z.strictObject({
  id: z.string(),
  clientId: z.string(),
  clientName: z.string(),
  verified: z.boolean(),
  redirectKind: z.enum(['web', 'device', 'app']),
  redirectHost: z.string(),
  account: z.strictObject({ id: z.string(), email: z.string(), name: z.string().nullable() }),
  scopes: z.array(z.enum(SCOPES)),
  createdAt: time,
  lastUsedAt: time.nullable(),
  lastUsedIp: z.string().nullable(),
});

const blockedAnswer = z.strictObject({
  clientId: z.string(),
  clientName: z.string(),
  verified: z.boolean(),
  blockedAt: time,
});

/** `/connected-apps` and `/blocked-apps`: the apps that members of an organization have connected, and their end. */
export function createConnectedAppRoutes({
  pagination,
  clientAddress,
  serviceOf,
}: AppRouteDependencies): SessionRoute[] {
  const userOf = ({ req, state }: AppContext): AppUser => {
    const { accountId, sessionId, tenantId, role } = state.member;
    const actor = { id: accountId, address: clientAddress(req), requestId: state.requestId };
    return { accountId, sessionId, tenantId, role, actor };
  };
  const positionOf = ({ issueSeq }: ListedGrant) => Number(issueSeq);

  return [
    sessionRoute({
      method: 'GET',
      path: '/connected-apps',
      summary: 'List installations of apps, newest first',
      access: MEMBER,
      cost: COST.read,
      query: PAGE_QUERY.extend(appFilter.shape),
      answers: { 200: pageOf(installationAnswer) },
      async handle(ctx, { query }) {
        const user = userOf(ctx);
        const owner = query.of === 'me' ? user.accountId : '';
        const list = ['connected-apps', user.tenantId, owner, query.clientId ?? ''];
        const request = pagination.read(query, list);
        const { found, resumeAfter } = await serviceOf(ctx).list(user, query, request);
        const page = pagination.page(found, request, list, positionOf, resumeAfter);
        sendPage(ctx, page, presentInstallation);
      },
    }),
    sessionRoute({
      method: 'POST',
      path: '/connected-apps/disconnect',
      summary: 'End all installations of an app',
      access: MEMBER,
      cost: COST.change,
      body: disconnection,
      answers: { 204: null },
      async handle(ctx, { body: { clientId, of, reason } }) {
        await serviceOf(ctx).disconnect(userOf(ctx), clientId, of, reason);
        ctx.status = 204;
      },
    }),
    sessionRoute({
      method: 'DELETE',
      path: '/connected-apps/:id',
      summary: 'End one installation of an app',
      access: MEMBER,
      cost: COST.change,
      answers: { 204: null },
      async handle(ctx) {
        await serviceOf(ctx).end(userOf(ctx), ctx.params['id'] ?? '');
        ctx.status = 204;
      },
    }),
    ...createBlockRoutes({ pagination, serviceOf, userOf }),
  ];
}

/** `/blocked-apps`: the apps that nobody in the organization may connect. */
function createBlockRoutes({
  pagination,
  serviceOf,
  userOf,
}: Pick<AppRouteDependencies, 'pagination' | 'serviceOf'> & {
  readonly userOf: (ctx: AppContext) => AppUser;
}): SessionRoute[] {
  return [
    sessionRoute({
      method: 'GET',
      path: '/blocked-apps',
      summary: 'List blocked apps, newest first',
      access: MEMBER,
      cost: COST.read,
      query: PAGE_QUERY,
      answers: { 200: pageOf(blockedAnswer) },
      async handle(ctx, { query }) {
        const user = userOf(ctx);
        const list = ['blocked-apps', user.tenantId];
        const request = pagination.read(query, list);
        const found = await serviceOf(ctx).listBlocked(user, request);
        const positionOf = ({ seq }: BlockedClient) => Number(seq);
        sendPage(ctx, pagination.page(found, request, list, positionOf), presentBlocked);
      },
    }),
    sessionRoute({
      method: 'POST',
      path: '/blocked-apps',
      summary: 'Block an app',
      access: MEMBER,
      cost: COST.change,
      body: block,
      answers: { 204: null },
      async handle(ctx, { body: { clientId, reason } }) {
        await serviceOf(ctx).block(userOf(ctx), clientId, reason);
        ctx.status = 204;
      },
    }),
    sessionRoute({
      method: 'DELETE',
      path: '/blocked-apps/:id',
      summary: 'Unblock an app',
      access: MEMBER,
      cost: COST.change,
      answers: { 204: null },
      async handle(ctx) {
        await serviceOf(ctx).unblock(userOf(ctx), ctx.params['id'] ?? '');
        ctx.status = 204;
      },
    }),
  ];
}

function presentInstallation(grant: ListedGrant) {
  const { redirectKind, redirectHost } = describeRedirect(grant.redirectUri);
  return {
    id: grant.id,
    clientId: grant.clientId,
    clientName: grant.clientName,
    verified: grant.isVerified,
    redirectKind,
    redirectHost,
    account: { id: grant.accountId, email: grant.email, name: grant.accountName },
    scopes: grant.scopes,
    createdAt: grant.createdAt,
    lastUsedAt: grant.lastUsedAt,
    lastUsedIp: grant.lastUsedAddress,
  };
}

function presentBlocked({ id, name, isVerified, blockedAt }: BlockedClient) {
  return { clientId: id, clientName: name, verified: isVerified, blockedAt };
}
