import type { Context } from 'koa';

import type { Actor } from '../../audit/index.js';
import type { Client, ClientLogos } from '../../clients/index.js';
import { readForm, singleValue, type Form } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Pages } from '../../http/pages/pages.js';
import { noteFacts } from '../../http/request-facts.js';
import type { Route } from '../../http/routes.js';
import type { Resources } from '../../resource-servers/index.js';
import { titleOf } from '../../scopes/roles.js';
import { inCatalogOrder } from '../../scopes/scope-set.js';
import {
  type ConsentRequest,
  type Consents,
  offeredScopes,
  type TenantChoice,
} from '../authorize/consents.js';
import { shownClient, type OAuthViews } from '../authorize/views.js';
import type { ConsoleSessions } from '../library/browser-sessions.js';
import type { DeviceLimits } from './device-limits.js';
import type { DeviceStore } from './device-store.js';
import {
  DEVICE_PAGE,
  showConsent,
  showForm,
  showOutcome,
  type Asked,
  type PageAccount,
  type PageContext,
} from './device-views.js';
import { readUserCode, showUserCode } from './user-code.js';

interface Dependencies {
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly sessions: ConsoleSessions;
  readonly store: DeviceStore;
  readonly limits: DeviceLimits;
  readonly consents: Consents;
  readonly resources: Resources;
  readonly logos: Pick<ClientLogos, 'pathOf'>;
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  readonly transaction: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly clientAddress: (request: Context['req']) => string;
  /** The login page that leads back to a path. */
  readonly loginFor: (path: string) => string;
}

const NOT_FOUND =
  'The code is wrong or has expired. Check it on your device, or start again there.';

/** The pages of the device grant (RFC 8628 §3.3): typing the code, consent, and the outcome. */
export function createDevicePages(dependencies: Dependencies): Route<'public'>[] {
  const { csrf } = dependencies;
  return [
    {
      method: 'GET',
      path: DEVICE_PAGE,
      access: 'public',
      async handle(ctx) {
        if ((await signedInAccount(ctx, dependencies)) === undefined) return;
        const typed = singleValue(new URLSearchParams(ctx.querystring), 'user_code') ?? '';
        const code = readUserCode(typed);
        showForm(ctx, dependencies, { userCode: code === undefined ? '' : showUserCode(code) });
      },
    },
    {
      method: 'POST',
      path: DEVICE_PAGE,
      access: 'public',
      async handle(ctx) {
        const form = await readForm(ctx);
        csrf.check(ctx, form);
        const account = await signedInAccount(ctx, dependencies);
        if (account === undefined) return;
        const asked = await findAsked(ctx, form, account, dependencies);
        if (asked !== undefined) await answer(ctx, form, asked, dependencies);
      },
    },
  ];
}

/** Sends an anonymous visitor to the login page, which leads back. */
async function signedInAccount(
  ctx: PageContext,
  { sessions, findAccount, loginFor }: Dependencies,
): Promise<PageAccount | undefined> {
  const session = await sessions.find(ctx as unknown as Context);
  const account = session && (await findAccount(session.accountId));
  if (account !== undefined) {
    noteFacts(ctx, { accountId: account.id });
    return account;
  }
  ctx.redirect(loginFor(ctx.path + ctx.search));
  ctx.status = 303;
  return undefined;
}

/** Finds the request of the typed code. Shows the form again, and returns `undefined`, if there is none. */
async function findAsked(
  ctx: PageContext,
  form: Form,
  account: PageAccount,
  dependencies: Dependencies,
): Promise<Asked | undefined> {
  const { limits, store, findClient, clientAddress } = dependencies;
  const typed = singleValue(form, 'user_code') ?? '';
  const userCode = readUserCode(typed);
  const again = (error: string, status: number) =>
    showForm(ctx, dependencies, { userCode: typed.slice(0, 20), error, status });
  const retryAfter = await limits.take(clientAddress(ctx.req), userCode);
  if (retryAfter !== undefined) {
    ctx.set('Retry-After', String(retryAfter));
    again('Too many attempts. Try again later.', 429);
    return undefined;
  }
  const pending = userCode === undefined ? undefined : await store.findByUserCode(userCode);
  const client = pending && (await findClient(pending.clientId));
  if (userCode === undefined || pending === undefined || client === undefined) {
    again(NOT_FOUND, 422);
    return undefined;
  }
  await limits.giveBack(clientAddress(ctx.req));
  noteFacts(ctx, { clientId: client.id });
  return { userCode, pending, client, account };
}

async function answer(
  ctx: PageContext,
  form: Form,
  asked: Asked,
  dependencies: Dependencies,
): Promise<void> {
  const decision = singleValue(form, 'decision');
  if (decision === 'switch_account') {
    await dependencies.sessions.end(ctx as unknown as Context);
    const path = `${DEVICE_PAGE}?user_code=${showUserCode(asked.userCode)}`;
    ctx.redirect(dependencies.loginFor(path));
    ctx.status = 303;
    return;
  }
  if (decision === 'deny') {
    return deny(ctx, asked, dependencies);
  }
  const tenantId = decision === 'choose_tenant' ? undefined : singleValue(form, 'tenant_id');
  const request = await requestFor(ctx, asked, tenantId, dependencies);
  if (request === undefined) return;
  if (offeredScopes(request).length === 0) {
    return deny(ctx, asked, dependencies, 'Your role allows none of the requested permissions.');
  }
  if (decision !== 'approve') return showConsent(ctx, asked, request, dependencies);
  const isApproved = await approve(ctx, asked, request, form.getAll('scope'), dependencies);
  showOutcome(ctx, asked, dependencies, { isApproved, reason: undefined });
}

/** @param reason why nothing can be allowed; `undefined` if the user refused */
async function deny(
  ctx: PageContext,
  asked: Asked,
  dependencies: Dependencies,
  reason?: string,
): Promise<void> {
  await dependencies.store.decide(asked.pending.digest, null);
  showOutcome(ctx, asked, dependencies, { isApproved: false, reason });
}

/**
 * Makes the consent request in the chosen tenant.
 *
 * @returns `undefined` if the page is answered already: with the choice of a tenant, or with the refusal of the device
 *   because the account has no tenant that allows the client
 */
async function requestFor(
  ctx: PageContext,
  asked: Asked,
  tenantId: string | undefined,
  dependencies: Dependencies,
): Promise<(ConsentRequest & { readonly canChooseAnother: boolean }) | undefined> {
  const { pending, client, account } = asked;
  const { consents, resources } = dependencies;
  const who = { accountId: account.id, clientId: client.id };
  const { usable, suspended } = await consents.tenantsFor(who);
  const [first] = usable;
  if (first === undefined) {
    if (suspended > 0) throw new Problem('forbidden', 'Your organization is suspended.');
    const reason = 'Your account belongs to no organization that allows it.';
    await deny(ctx, asked, dependencies, reason);
    return undefined;
  }
  const isOnly = usable.length === 1;
  const tenant =
    tenantId === undefined && isOnly ? first : usable.find(({ id }) => id === tenantId);
  if (tenant !== undefined) {
    noteFacts(ctx, { tenantId: tenant.id });
    const servers = await resources.serversAmong(pending.resources, client.id);
    return {
      ...who,
      tenant,
      servers,
      scopes: inCatalogOrder(pending.scopes),
      resources: pending.resources,
      redirectUri: '',
      canChooseAnother: !isOnly,
    };
  }
  showTenants(ctx, asked, usable, dependencies);
  return undefined;
}

function showTenants(
  ctx: PageContext,
  { userCode, client, account }: Asked,
  tenants: readonly TenantChoice[],
  { pages, csrf }: Dependencies,
): void {
  pages.send(
    ctx,
    'choose-tenant',
    {
      title: 'Choose an organization',
      action: DEVICE_PAGE,
      csrf: csrf.token(ctx),
      hidden: [{ name: 'user_code', value: userCode }],
      client: shownClient(client),
      accountEmail: account.email,
      tenants: tenants.map(({ id, name, role }) => ({ id, name, role: titleOf(role) })),
    },
    { endsAtClient: true },
  );
}

/** Creates the grant and attaches it to the device's code in one transaction. @returns whether the device gets access */
async function approve(
  ctx: PageContext,
  { pending, account }: Asked,
  request: ConsentRequest,
  ticked: readonly string[],
  { consents, store, transaction, clientAddress }: Dependencies,
): Promise<boolean> {
  const { requestId } = ctx.state;
  const actor: Actor = { id: account.id, address: clientAddress(ctx.req), requestId };
  return transaction(async () => {
    const grant = await consents.grant(request, ticked, actor);
    const isAttached = await store.decide(pending.digest, grant?.id ?? null);
    if (grant !== undefined && !isAttached) {
      throw new Problem('conflict', 'The request has expired or was decided already.');
    }
    if (grant !== undefined) noteFacts(ctx, { grantId: grant.id });
    return grant !== undefined;
  });
}
