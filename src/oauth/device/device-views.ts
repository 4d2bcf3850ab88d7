import { type Client, type ClientLogos, documentHostOf } from '../../clients/index.js';
import type { RequestState, RouteContext } from '../../http/context.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Pages } from '../../http/pages/pages.js';
import { consentGroups, summarizeScopes } from '../authorize/consent-scopes.js';
import { isIdentity, offeredScopes, type ConsentRequest } from '../authorize/consents.js';
import {
  type DeviceDonePage,
  DISCLOSED_BY_USERINFO,
  type OAuthViews,
  shownClient,
} from '../authorize/views.js';
import type { PendingDevice } from './device-store.js';
import { showUserCode } from './user-code.js';

/** The page where users type the code of their device. */
export const DEVICE_PAGE = '/device';

export type PageContext = RouteContext<RequestState>;

export interface PageAccount {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
}

/** A request that the signed-in user can decide about. */
export interface Asked {
  readonly userCode: string;
  readonly pending: PendingDevice;
  readonly client: Client;
  readonly account: PageAccount;
}

interface Dependencies {
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly logos: Pick<ClientLogos, 'pathOf'>;
}

/** The form for the code. */
export function showForm(
  ctx: PageContext,
  { pages, csrf }: Dependencies,
  shown: { readonly userCode: string; readonly error?: string; readonly status?: number },
): void {
  pages.send(
    ctx,
    'device',
    {
      title: 'Connect a device',
      action: DEVICE_PAGE,
      csrf: csrf.token(ctx),
      hidden: [],
      userCode: shown.userCode,
      error: shown.error,
    },
    { status: shown.status ?? 200, endsAtClient: true },
  );
}

export async function showConsent(
  ctx: PageContext,
  { userCode, client, account }: Asked,
  request: ConsentRequest & { readonly canChooseAnother: boolean },
  { pages, csrf, logos }: Dependencies,
): Promise<void> {
  const shown = shownClient(client);
  const ticks = offeredScopes(request).filter((scope) => !isIdentity(scope));
  pages.send(
    ctx,
    'consent',
    {
      title: `Allow ${shown.name}?`,
      action: DEVICE_PAGE,
      csrf: csrf.token(ctx),
      hidden: [
        { name: 'user_code', value: userCode },
        { name: 'tenant_id', value: request.tenant.id },
      ],
      client: {
        redirectKind: 'other-device',
        redirectHost: showUserCode(userCode),
        name: client.name,
        shortName: shown.name === client.name ? undefined : shown.name,
        isVerified: client.isVerified,
        clientUri: client.metadata.client_uri,
        documentHost: documentHostOf(client.id),
        logo: await logos.pathOf(client),
      },
      account: { name: account.name ?? account.email, email: account.email },
      tenantName: request.tenant.name,
      resourceNames: request.servers.map((server) => server.name),
      canChooseAnother: request.canChooseAnother,
      summary: summarizeScopes(ticks),
      groups: consentGroups(ticks),
      disclosed: DISCLOSED_BY_USERINFO,
    },
    { endsAtClient: true },
  );
}

export function showOutcome(
  ctx: PageContext,
  { client }: Asked,
  { pages }: Dependencies,
  { isApproved, reason }: Pick<DeviceDonePage, 'isApproved' | 'reason'>,
): void {
  pages.send(
    ctx,
    'device-done',
    {
      title: isApproved ? 'Device connected' : 'Request refused',
      client: shownClient(client),
      isApproved,
      reason,
    },
    { endsAtClient: true },
  );
}
