import type { SessionAccess, SessionState } from '../credentials/index.js';
import type { BlockedClient } from '../clients/index.js';
import type { ListedGrant } from '../grants/index.js';
import { readJson } from '../http/body/body.js';
import type { RouteContext } from '../http/context.js';
import { sendPage } from '../http/envelope.js';
import { PAGE_QUERY, type Pagination } from '../http/pagination.js';
import { describeRedirect } from '../http/redirect-target.js';
import type { Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
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

/** `/connected-apps` and `/blocked-apps`: the apps that members of an organization have connected, and their end. */
export function createConnectedAppRoutes({
  pagination,
  clientAddress,
  serviceOf,
}: AppRouteDependencies): Route<SessionAccess, SessionState>[] {
  const userOf = ({ req, state }: AppContext): AppUser => {
    const { accountId, sessionId, tenantId, role } = state.member;
    const actor = { id: accountId, address: clientAddress(req), requestId: state.requestId };
    return { accountId, sessionId, tenantId, role, actor };
  };
  const route = (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    handle: (ctx: AppContext, apps: ConnectedApps, user: AppUser) => Promise<void>,
    query: readonly string[] = [],
  ): Route<SessionAccess, SessionState> => ({
    method,
    path,
    access: MEMBER,
    query,
    handle: (ctx) => handle(ctx, serviceOf(ctx), userOf(ctx)),
  });

  return [
    route(
      'GET',
      '/connected-apps',
      async (ctx, apps, user) => {
        const search = new URLSearchParams(ctx.querystring);
        const filter = parseWith(appFilter, Object.fromEntries(search));
        const owner = filter.of === 'me' ? user.accountId : '';
        const list = ['connected-apps', user.tenantId, owner, filter.clientId ?? ''];
        const request = pagination.read(search, list);
        const { found, resumeAfter } = await apps.list(user, filter, request);
        const positionOf = ({ issueSeq }: ListedGrant) => Number(issueSeq);
        sendPage(
          ctx,
          pagination.page(found, request, list, positionOf, resumeAfter),
          presentInstallation,
        );
      },
      [...PAGE_QUERY, ...Object.keys(appFilter.shape)],
    ),
    route('POST', '/connected-apps/disconnect', async (ctx, apps, user) => {
      const { clientId, of, reason } = readJson(ctx, disconnection);
      await apps.disconnect(user, clientId, of, reason);
      ctx.status = 204;
    }),
    route('DELETE', '/connected-apps/:id', async (ctx, apps, user) => {
      await apps.end(user, ctx.params['id'] ?? '');
      ctx.status = 204;
    }),
    route(
      'GET',
      '/blocked-apps',
      async (ctx, apps, user) => {
        const search = new URLSearchParams(ctx.querystring);
        const list = ['blocked-apps', user.tenantId];
        const request = pagination.read(search, list);
        const found = await apps.listBlocked(user, request);
        const positionOf = ({ seq }: BlockedClient) => Number(seq);
        sendPage(ctx, pagination.page(found, request, list, positionOf), presentBlocked);
      },
      PAGE_QUERY,
    ),
    route('POST', '/blocked-apps', async (ctx, apps, user) => {
      const { clientId, reason } = readJson(ctx, block);
      await apps.block(user, clientId, reason);
      ctx.status = 204;
    }),
    route('DELETE', '/blocked-apps/:id', async (ctx, apps, user) => {
      await apps.unblock(user, ctx.params['id'] ?? '');
      ctx.status = 204;
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
