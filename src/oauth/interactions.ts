import type { Context } from 'koa';
import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';

import type { Actor } from '../audit/audit-log.js';
import type { Client } from '../clients/client.entity.js';
import type { RequestState, RouteContext } from '../http/context.js';
import type { Csrf } from '../http/csrf.js';
import { readForm, singleValue, type Form } from '../http/form.js';
import type { formActionSource, Pages } from '../http/pages.js';
import { Problem } from '../http/problem.js';
import type { Route } from '../http/routes.js';
import { requestOf, type ConsentResult } from './authorization.js';
import type { Consents, ConsentRequest, TenantChoice } from './consents.js';
import { offeredScopes } from './consents.js';
import {
  consentGroups,
  describeRedirect,
  DISCLOSED_BY_USERINFO,
  type OAuthViews,
} from './page-data.js';
import type { SignInPage } from './sign-in-page.js';

/** What is known of an account on its pages. */
export interface PageAccount {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
}

interface Dependencies {
  readonly provider: () => Provider;
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly signInPage: SignInPage;
  readonly consents: Consents;
  readonly formActionSource: typeof formActionSource;
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  readonly clientAddress: (request: Context['req']) => string;
  /** Ends the session that a browser has, because somebody else signed in there. */
  readonly forgetSession: (ctx: Context) => Promise<void>;
}

type PageContext = RouteContext<RequestState>;

/** One authorization that waits for its user, with what its pages show. */
interface Pending {
  readonly uid: string;
  readonly interaction: Awaited<ReturnType<Provider['interactionDetails']>>;
  readonly client: Client;
  readonly redirectUri: string;
}

const CONSENT_HEADING = 'This page has expired';

/**
 * The pages on which a user signs in and agrees, while an authorization request waits for both. The cookie that
 * came with the redirect here says which one; its id in the path keeps two tabs apart.
 */
export function createInteractionRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { signInPage, csrf } = dependencies;
  const page = (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: PageContext, pending: Pending, form: Form) => Promise<void>,
  ): Route<'public'> => ({
    method,
    path,
    access: 'public',
    async handle(ctx) {
      const form = method === 'POST' ? await readForm(ctx) : new URLSearchParams();
      if (method === 'POST') csrf.check(ctx, form);
      await handle(ctx, await findPending(ctx, dependencies), form);
    },
  });
  const login = async (ctx: PageContext, pending: Pending, form: Form, isSubmitted: boolean) => {
    const { interaction, client, redirectUri, uid } = pending;
    const view = {
      action: `/login/${uid}`,
      clientName: client.name,
      hint: stringOf(interaction.params['login_hint']),
      formAction: [dependencies.formActionSource(redirectUri)],
    };
    const account = isSubmitted
      ? await signInPage.submit(ctx, form, view)
      : signInPage.show(ctx, view);
    if (account !== undefined) await continueAs(ctx, pending, account.id, dependencies);
  };
  return [
    page('GET', '/login/:uid', (ctx, pending, form) => login(ctx, pending, form, false)),
    page('POST', '/login/:uid', (ctx, pending, form) => login(ctx, pending, form, true)),
    page('GET', '/consent/:uid', (ctx, pending) => showConsent(ctx, pending, dependencies)),
    page('POST', '/consent/:uid', (ctx, pending, form) => decide(ctx, pending, form, dependencies)),
  ];
}

/** @throws Problem `not_found` if this browser waits for no such authorization, or no longer */
async function findPending(
  ctx: PageContext,
  { provider, findClient }: Dependencies,
): Promise<Pending> {
  const expired = new Problem(
    'not_found',
    `${CONSENT_HEADING}. Go back to the app and start again.`,
  );
  const interaction = await provider()
    .interactionDetails(ctx.req, ctx.res)
    .catch((error: unknown) => {
      throw error instanceof errors.SessionNotFound ? expired : error;
    });
  const client = await findClient(stringOf(interaction.params['client_id']) ?? '');
  const uid = String(ctx.params['uid']);
  if (interaction.uid !== uid || client === undefined) throw expired;
  const redirectUri = stringOf(interaction.params['redirect_uri']) ?? '';
  return { uid, interaction, client, redirectUri };
}

async function continueAs(
  ctx: PageContext,
  { interaction }: Pending,
  accountId: string,
  { provider, forgetSession }: Dependencies,
): Promise<void> {
  const before = interaction.session?.accountId;
  if (before !== undefined && before !== accountId) {
    // Somebody else: nothing of the session that was there may pass on to them.
    await forgetSession(ctx);
    delete interaction.session;
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
  }
  await finish(ctx, provider(), {
    login: { accountId, amr: ['pwd'] },
    select_account: {},
  });
}

async function showConsent(
  ctx: PageContext,
  pending: Pending,
  dependencies: Dependencies,
): Promise<void> {
  const asked = await askedOf(
    ctx,
    pending,
    dependencies,
    singleValue(new URLSearchParams(ctx.querystring), 'tenant_id'),
  );
  if (asked === undefined) return;
  const { request, account, canChooseAnother } = asked;
  const { pages, csrf, formActionSource: sourceOf } = dependencies;
  const { client, uid, redirectUri } = pending;
  const offered = offeredScopes(request);
  if (offered.length === 0) {
    return deny(ctx, dependencies, 'The user’s role allows none of what was asked for.');
  }
  pages.send(
    ctx,
    'consent',
    {
      title: `Allow ${client.name}?`,
      action: `/consent/${uid}`,
      csrf: csrf.token(ctx),
      hidden: [{ name: 'tenant_id', value: request.tenant.id }],
      client: {
        ...describeRedirect(redirectUri),
        name: client.name,
        isVerified: client.isVerified,
        clientUri: client.metadata.client_uri,
      },
      account: { name: account.name ?? account.email, email: account.email },
      tenantName: request.tenant.name,
      canChooseAnother,
      groups: consentGroups(offered),
      disclosed: DISCLOSED_BY_USERINFO,
    },
    { formAction: [sourceOf(redirectUri)] },
  );
}

async function decide(
  ctx: PageContext,
  pending: Pending,
  form: Form,
  dependencies: Dependencies,
): Promise<void> {
  const decision = singleValue(form, 'decision');
  const tenantId = singleValue(form, 'tenant_id');
  if (decision === 'choose_tenant') return redirect(ctx, `/consent/${pending.uid}`);
  if (decision === undefined && tenantId !== undefined) {
    // From the page on which one of several tenants is chosen.
    return redirect(ctx, `/consent/${pending.uid}?tenant_id=${encodeURIComponent(tenantId)}`);
  }
  if (decision === 'deny') return deny(ctx, dependencies, 'The user denied the request.');
  if (decision !== 'approve') {
    throw new Problem('bad_request', 'The form does not say what was decided.');
  }
  const asked = await askedOf(ctx, pending, dependencies, tenantId);
  if (asked === undefined) return;
  const actor: Actor = {
    id: asked.account.id,
    address: dependencies.clientAddress(ctx.req),
    requestId: ctx.state.requestId,
  };
  const grant = await dependencies.consents.grant(asked.request, form.getAll('scope'), actor);
  if (grant === undefined) return deny(ctx, dependencies, 'Nothing was granted.');
  const consent: ConsentResult = { grantId: grant.id, tenantId: grant.tenantId };
  await finish(ctx, dependencies.provider(), { consent: { ...consent } });
}

interface Asked {
  readonly request: ConsentRequest;
  readonly account: PageAccount;
  readonly canChooseAnother: boolean;
}

/**
 * What the signed-in user is asked, for the tenant that is meant. Where that isn't settled yet, or
 * nothing can be asked, the answer is given here.
 */
async function askedOf(
  ctx: PageContext,
  { uid, interaction, client }: Pending,
  dependencies: Dependencies,
  tenantId: string | undefined,
): Promise<Asked | undefined> {
  const account = await dependencies.findAccount(interaction.session?.accountId ?? '');
  if (account === undefined) throw new Problem('not_found', `${CONSENT_HEADING}.`);
  const who = { accountId: account.id, clientId: client.id };
  const { usable, suspended } = await dependencies.consents.tenantsFor(who);
  const [first] = usable;
  if (first === undefined) {
    await finish(ctx, dependencies.provider(), noTenant(suspended));
    return undefined;
  }
  const tenant =
    tenantId === undefined && usable.length === 1
      ? first
      : usable.find(({ id }) => id === tenantId);
  if (tenant === undefined) {
    chooseTenant(ctx, dependencies, { uid, client, account, tenants: usable });
    return undefined;
  }
  const request = { ...who, tenant, ...requestOf(interaction.params) };
  return { request, account, canChooseAnother: usable.length > 1 };
}

function noTenant(suspended: number) {
  return suspended > 0
    ? {
        error: 'temporarily_unavailable',
        error_description: 'The organization is suspended.',
      }
    : {
        error: 'access_denied',
        error_description: 'The account belongs to no organization that allows this app.',
      };
}

function chooseTenant(
  ctx: PageContext,
  { pages, csrf }: Dependencies,
  shown: {
    readonly uid: string;
    readonly client: Client;
    readonly account: PageAccount;
    readonly tenants: readonly TenantChoice[];
  },
): void {
  pages.send(ctx, 'choose-tenant', {
    title: 'Choose an organization',
    action: `/consent/${shown.uid}`,
    csrf: csrf.token(ctx),
    hidden: [],
    clientName: shown.client.name,
    accountEmail: shown.account.email,
    tenants: shown.tenants.map(({ id, name, role }) => ({
      id,
      name,
      role: role.replaceAll('_', ' '),
    })),
  });
}

function deny(ctx: PageContext, { provider }: Dependencies, description: string): Promise<void> {
  return finish(ctx, provider(), { error: 'access_denied', error_description: description });
}

/** Hands the authorization back to the library, which goes on with it or ends it. */
async function finish(ctx: PageContext, provider: Provider, result: object): Promise<void> {
  redirect(ctx, await provider.interactionResult(ctx.req, ctx.res, result as never));
}

function redirect(ctx: PageContext, target: string): void {
  // A new request by GET, whatever this one was (RFC 9110 §15.4.4).
  ctx.redirect(target);
  ctx.status = 303;
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
