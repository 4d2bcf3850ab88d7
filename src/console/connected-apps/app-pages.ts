import type { ClientLogos } from '../../clients/index.js';
import type { AppUser, ConnectedApps } from '../../connected-apps/index.js';
import type { FoundGrants, ListedGrant } from '../../grants/index.js';
import { singleValue } from '../../http/body/form.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Page, PageRequest, Pagination } from '../../http/pagination.js';
import { ADMINISTRATORS, isAdministrator } from '../../scopes/roles.js';
import type { OrganizationContext, PersonalContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { hostOf, showBlocked, showInstallation, type Tab } from './app-view.js';
import { APP, BLOCK, BLOCKED, DISCONNECT, END, EVERYWHERE, LIST } from './paths.js';

export interface AppPagesDependencies {
  readonly showPage: ShowPage;
  readonly csrf: Csrf;
  readonly pagination: Pagination;
  /** The service outside of a transaction. */
  readonly apps: ConnectedApps;
  readonly logos: Pick<ClientLogos, 'pathsOf'>;
  /** Runs a change in a transaction. */
  readonly change: <Result>(work: (apps: ConnectedApps) => Promise<Result>) => Promise<Result>;
}

/** Notices by their name in the query of the redirect. */
const NOTICES: ReadonlyMap<string, string> = new Map([
  ['ended', 'The installation has ended. Its tokens are refused from now on.'],
  ['disconnected', 'The app is disconnected. Its tokens are refused from now on.'],
  ['blocked', 'The app is blocked. Its tokens are refused, and nobody here can connect it.'],
  ['unblocked', 'The app can be connected again. What was ended stays ended.'],
]);

type Read = (request: PageRequest) => Promise<FoundGrants>;

/** The lists of connected apps, and the page of one app. */
export function createAppListRoutes(dependencies: AppPagesDependencies): SettingsRoute[] {
  const page = (
    path: string,
    of: '/settings/connected-apps' | '/settings/apps',
    handle: (
      dependencies: AppPagesDependencies,
      ctx: SettingsContext,
      at: OrganizationContext,
    ) => Promise<void>,
  ): SettingsRoute => ({
    method: 'GET',
    path,
    access: { page: of },
    handle: (ctx) => handle(dependencies, ctx, ctx.state.organization),
  });
  return [
    page(LIST, LIST, showList),
    {
      ...page(EVERYWHERE, EVERYWHERE, showList),
      handle: (ctx) => showEverywhere(dependencies, ctx, ctx.state.personal),
    },
    page(APP, LIST, showApp),
    {
      ...page(BLOCKED, LIST, (...opened) => showBlockedApps(...opened)),
      access: { page: LIST, roles: ADMINISTRATORS },
    },
  ];
}

async function readPage(
  pagination: Pagination,
  ctx: SettingsContext,
  list: readonly string[],
  read: Read,
): Promise<Page<ListedGrant>> {
  const request = pagination.read(new URLSearchParams(ctx.querystring), list);
  const { found, resumeAfter } = await read(request);
  const positionOf = ({ issueSeq }: ListedGrant) => Number(issueSeq);
  return pagination.page(found, request, list, positionOf, resumeAfter);
}

/** @param missing says that an installation is not there, as after its end by somebody else */
export async function showList(
  { showPage, pagination, apps, logos }: AppPagesDependencies,
  ctx: SettingsContext,
  at: OrganizationContext,
  missing?: string,
): Promise<void> {
  const isAdmin = isAdministrator(at.role);
  const of = isAdmin && queryOf(ctx, 'of') === 'organization' ? 'organization' : 'me';
  const list = ['page-connected-apps', at.tenantId, of === 'me' ? at.accountId : ''];
  const page = await readPage(pagination, ctx, list, (request) => apps.list(at, { of }, request));
  const shown = await logos.pathsOf(page.items.map(({ clientId }) => clientId));
  const query = of === 'me' ? {} : { of };
  const shownPage = {
    title: 'Connected apps',
    missing,
    heading: 'Connected apps',
    lead:
      of === 'me'
        ? 'Apps that you allowed to use your account here. Each row is one installation.'
        : 'Apps that people in the organization allowed to use their accounts. Each row is one installation.',
    tabs: isAdmin ? tabs(at, of) : [],
    notice: NOTICES.get(queryOf(ctx, 'done') ?? ''),
    installations: page.items.map((grant) =>
      showInstallation(grant, {
        showsPerson: of === 'organization',
        showsOrganization: false,
        logos: shown,
        appOf: ({ clientId }) => at.href(APP, { client: clientId }),
        endOf: ({ id }) => (at.isSuspended ? undefined : at.href(END.replace(':id', id))),
      }),
    ),
    empty: {
      title: 'No app is connected',
      text: 'An app appears here when somebody signs in with it and allows it to use an account.',
    },
    paging: pagingOf(ctx, at, LIST, page, query, 'installation'),
  };
  showPage(ctx, 'connected-apps', shownPage, { status: missing === undefined ? 200 : 404 });
}

/** @param missing says that an installation is not there, as after its end by somebody else */
export async function showEverywhere(
  { showPage, pagination, apps, logos }: AppPagesDependencies,
  ctx: SettingsContext,
  at: PersonalContext,
  missing?: string,
): Promise<void> {
  const { memberships } = ctx.state.visitor;
  const list = ['page-apps-you-use', at.accountId];
  const page = await readPage(pagination, ctx, list, (request) => apps.listEverywhere(at, request));
  const shown = await logos.pathsOf(page.items.map(({ clientId }) => clientId));
  const membershipIn = (id: string) => memberships.find(({ tenantId }) => tenantId === id);
  const shownPage = {
    title: 'Apps you use',
    missing,
    heading: 'Apps you use',
    lead: 'Apps that act as you, in all of your organizations. Each row is one installation.',
    tabs: [],
    notice: NOTICES.get(queryOf(ctx, 'done') ?? ''),
    installations: page.items.map((grant) => {
      const membership = membershipIn(grant.tenantId);
      const tenant = membership?.tenantSlug ?? '';
      const isSuspended = membership?.isTenantSuspended === true;
      return showInstallation(grant, {
        showsPerson: false,
        showsOrganization: true,
        logos: shown,
        appOf: ({ clientId }) => at.href(APP, { client: clientId, tenant }),
        endOf: ({ id }) =>
          isSuspended ? undefined : at.href(END.replace(':id', id), { tenant, from: 'you' }),
      });
    }),
    empty: {
      title: 'You use no apps yet',
      text: 'An app appears here when you sign in with it and allow it to use your account.',
    },
    paging: pagingOf(ctx, at, EVERYWHERE, page, {}, 'installation'),
  };
  showPage(ctx, 'connected-apps', shownPage, { status: missing === undefined ? 200 : 404 });
}

async function showApp(
  { showPage, pagination, apps, logos }: AppPagesDependencies,
  ctx: SettingsContext,
  at: OrganizationContext,
): Promise<void> {
  const clientId = queryOf(ctx, 'client') ?? '';
  const app = await apps.describe(at, clientId);
  const isAdmin = isAdministrator(at.role);
  const of = isAdmin ? 'organization' : 'me';
  const list = ['page-connected-app', at.tenantId, of === 'me' ? at.accountId : '', clientId];
  const page = await readPage(pagination, ctx, list, (request) =>
    apps.list(at, { of, clientId }, request),
  );
  const isOwn = page.items.some(({ accountId }) => accountId === at.accountId);
  showPage(ctx, 'connected-app', {
    title: app.name,
    back: { text: 'Connected apps', href: at.href(LIST, isAdmin ? { of } : {}) },
    app,
    logo: (await logos.pathsOf([clientId])).get(clientId),
    redirectHosts: [...new Set(app.redirectUris.map(hostOf))],
    installations: page.items.map((grant) =>
      showInstallation(grant, {
        showsPerson: isAdmin,
        showsOrganization: false,
        // The head of the page shows it.
        logos: new Map(),
        appOf: () => undefined,
        endOf: ({ id }) => (at.isSuspended ? undefined : at.href(END.replace(':id', id))),
      }),
    ),
    paging: pagingOf(ctx, at, APP, page, { client: clientId }, 'installation'),
    actions: at.isSuspended ? [] : actionsFor(at, app, isAdmin, isOwn, page.items.length > 0),
  });
}

/** @param conflict says what somebody else has changed meanwhile */
export async function showBlockedApps(
  { showPage, csrf, pagination, apps }: AppPagesDependencies,
  ctx: SettingsContext,
  at: OrganizationContext,
  conflict?: string,
): Promise<void> {
  const list = ['page-blocked-apps', at.tenantId];
  const request = pagination.read(new URLSearchParams(ctx.querystring), list);
  const found = await apps.listBlocked(at, request);
  const page = pagination.page(found, request, list, ({ seq }) => Number(seq));
  const blocked = {
    title: 'Blocked apps',
    tabs: tabs(at, 'blocked'),
    conflict,
    notice: NOTICES.get(queryOf(ctx, 'done') ?? ''),
    action: at.href(BLOCKED),
    canUnblock: !at.isSuspended,
    csrf: csrf.token(ctx),
    apps: page.items.map(showBlocked),
    paging: pagingOf(ctx, at, BLOCKED, page, {}, 'app'),
  };
  showPage(ctx, 'blocked-apps', blocked, { status: conflict === undefined ? 200 : 409 });
}

function tabs(at: OrganizationContext, current: 'me' | 'organization' | 'blocked'): readonly Tab[] {
  return [
    { text: 'Yours', href: at.href(LIST), isCurrent: current === 'me' },
    {
      text: 'Organization',
      href: at.href(LIST, { of: 'organization' }),
      isCurrent: current === 'organization',
    },
    { text: 'Blocked', href: at.href(BLOCKED), isCurrent: current === 'blocked' },
  ];
}

function actionsFor(
  at: AppUser & Pick<OrganizationContext, 'href'>,
  app: { readonly id: string; readonly isBlockedHere: boolean },
  isAdmin: boolean,
  isOwn: boolean,
  isUsed: boolean,
) {
  const to = (path: string, more: Readonly<Record<string, string>> = {}) =>
    at.href(path, { client: app.id, ...more });
  return [
    ...(isOwn
      ? [
          {
            text: 'Disconnect for me',
            hint: 'Ends all of your installations in this organization.',
            href: to(DISCONNECT),
          },
        ]
      : []),
    ...(isAdmin && isUsed
      ? [
          {
            text: 'Disconnect for everybody',
            hint: 'Ends all installations in this organization. People can connect it again.',
            href: to(DISCONNECT, { of: 'organization' }),
          },
        ]
      : []),
    ...(isAdmin && !app.isBlockedHere
      ? [
          {
            text: 'Block here',
            hint: 'Ends all installations, and nobody in this organization can connect it.',
            href: to(BLOCK),
          },
        ]
      : []),
  ];
}

/** @param one the word for one item of the list */
function pagingOf(
  ctx: SettingsContext,
  at: PersonalContext,
  path: string,
  { items, cursor }: Page<unknown>,
  query: Readonly<Record<string, string>>,
  one: string,
) {
  const isFirst = queryOf(ctx, 'cursor') === undefined;
  const counted = `${items.length} ${items.length === 1 ? one : `${one}s`}`;
  return {
    first: isFirst ? undefined : at.href(path, query),
    next: cursor === null ? undefined : at.href(path, { ...query, cursor }),
    count: isFirst && cursor === null ? counted : `${counted} on this page`,
  };
}

export function queryOf(ctx: SettingsContext, name: string): string | undefined {
  const value = singleValue(new URLSearchParams(ctx.querystring), name);
  // PostgreSQL cannot read NUL.
  return value?.includes('\0') ? undefined : value;
}
