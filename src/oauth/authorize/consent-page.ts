import type { Actor } from '../../audit/index.js';
import { singleValue, type Form } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import { titleOf } from '../../scopes/roles.js';
import { requestOf, type ConsentResult } from './authorization.js';
import { isIdentity, offeredScopes, type ConsentRequest, type TenantChoice } from './consents.js';
import { consentGroups, summarizeScopes } from './consent-scopes.js';
import { describeRedirect } from '../../http/redirect-target.js';
import { DISCLOSED_BY_USERINFO, shownClient } from './views.js';
import { textOf } from '../parameters.js';
import { OAUTH_PATHS } from '../paths.js';
import {
  actionOf,
  finish,
  redirect,
  type InteractionDependencies,
  type PageAccount,
  type PageContext,
  type PendingAuthorization,
} from './pending-authorization.js';

/** Shows the consent page, or continues without it where consent is remembered. */
export async function showConsent(
  ctx: PageContext,
  pending: PendingAuthorization,
  dependencies: InteractionDependencies,
): Promise<void> {
  const asked = await askedOf(
    ctx,
    pending,
    dependencies,
    singleValue(new URLSearchParams(ctx.querystring), 'tenant_id'),
  );
  if (asked === undefined) return;
  const { request, account, canChooseAnother } = asked;
  const { pages, csrf } = dependencies;
  const { client, uid, redirectUri } = pending;
  if (canChooseAnother && (await isRemembered(ctx, pending, request, dependencies))) return;
  const offered = offeredScopes(request);
  if (offered.length === 0) {
    return deny(
      ctx,
      pending,
      dependencies,
      'The role of the user allows none of the requested scopes.',
    );
  }
  const shown = shownClient(client);
  const ticks = offered.filter((scope) => !isIdentity(scope));
  pages.send(
    ctx,
    'consent',
    {
      title: `Allow ${shown.name}?`,
      action: actionOf(ctx, `/consent/${uid}`, pending, dependencies),
      csrf: csrf.token(ctx),
      hidden: [{ name: 'tenant_id', value: request.tenant.id }],
      client: {
        ...describeRedirect(redirectUri),
        name: client.name,
        shortName: shown.name === client.name ? undefined : shown.name,
        isVerified: client.isVerified,
        clientUri: client.metadata.client_uri,
        documentHost: dependencies.documentHostOf(client.id),
        logo: await dependencies.logos.pathOf(client),
      },
      account: { name: account.name ?? account.email, email: account.email },
      tenantName: request.tenant.name,
      resourceNames: request.servers.map((server) => server.name),
      canChooseAnother,
      summary: summarizeScopes(ticks),
      groups: consentGroups(ticks),
      disclosed: DISCLOSED_BY_USERINFO,
    },
    { endsAtClient: true },
  );
}

/** Uses remembered consent for a tenant that was just chosen: see `grantFromRememberedConsent`. */
async function isRemembered(
  ctx: PageContext,
  pending: PendingAuthorization,
  request: ConsentRequest,
  dependencies: InteractionDependencies,
): Promise<boolean> {
  const { interaction, redirectUri } = pending;
  const { consents, isAuthenticatedRedirect } = dependencies;
  const isAskedFor = textOf(interaction.params, 'prompt').split(' ').includes('consent');
  if (isAskedFor || !isAuthenticatedRedirect(redirectUri)) return false;
  const grant = await consents.grantAsRemembered(request);
  if (grant === undefined) return false;
  const consent: ConsentResult = { grantId: grant.id, tenantId: grant.tenantId };
  noteFacts(ctx, consent);
  await finish(ctx, pending, dependencies, { consent });
  return true;
}

/** Handles a decision made on the consent page or on the page that chooses a tenant. */
export async function decide(
  ctx: PageContext,
  pending: PendingAuthorization,
  form: Form,
  dependencies: InteractionDependencies,
): Promise<void> {
  const decision = singleValue(form, 'decision');
  const tenantId = singleValue(form, 'tenant_id');
  // The first is a button of the consent page, the second one of the page that chooses a tenant.
  if (decision === 'switch_account' || singleValue(form, 'account') === 'other') {
    return switchAccount(ctx, pending, dependencies);
  }
  if (decision === 'choose_tenant') return redirect(ctx, `/consent/${pending.uid}`);
  if (decision === undefined && tenantId !== undefined) {
    // From the page that chooses a tenant.
    return redirect(ctx, `/consent/${pending.uid}?tenant_id=${encodeURIComponent(tenantId)}`);
  }
  if (decision === 'deny') return deny(ctx, pending, dependencies, 'The user denied the request.');
  if (decision !== 'approve') {
    throw new Problem('bad_request', 'The form contains no decision.');
  }
  const asked = await askedOf(ctx, pending, dependencies, tenantId);
  if (asked === undefined) return;
  const actor: Actor = {
    id: asked.account.id,
    address: dependencies.clientAddress(ctx.req),
    requestId: ctx.state.requestId,
  };
  const grant = await dependencies.consents.grant(asked.request, form.getAll('scope'), actor);
  if (grant === undefined) return deny(ctx, pending, dependencies, 'Nothing was granted.');
  const consent: ConsentResult = { grantId: grant.id, tenantId: grant.tenantId };
  noteFacts(ctx, consent);
  await finish(ctx, pending, dependencies, { consent });
}

/** Restarts the same authorization so that another account can sign in. */
async function switchAccount(
  ctx: PageContext,
  { interaction, client }: PendingAuthorization,
  { pushed }: InteractionDependencies,
): Promise<void> {
  const parameters = { ...interaction.params, prompt: 'select_account' };
  const written = Object.entries(parameters).map(
    ([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)] as const,
  );
  const query = new URLSearchParams();
  if (client.requiresPushedRequests) {
    // The request was pushed by the client, and is pushed again.
    query.set('client_id', client.id);
    query.set('request_uri', await pushed.insert(client.id, Object.fromEntries(written)));
  } else {
    for (const [name, value] of written) {
      for (const item of [value].flat()) query.append(name, item);
    }
  }
  redirect(ctx, `${OAUTH_PATHS.authorize}?${query.toString()}`);
}

interface Asked {
  readonly request: ConsentRequest;
  readonly account: PageAccount;
  readonly canChooseAnother: boolean;
}

/**
 * The consent request for the chosen tenant. Responds itself, and returns `undefined`, if a tenant has to be chosen or
 * none can be used.
 */
async function askedOf(
  ctx: PageContext,
  pending: PendingAuthorization,
  dependencies: InteractionDependencies,
  tenantId: string | undefined,
): Promise<Asked | undefined> {
  const { interaction, client } = pending;
  const account = await dependencies.findAccount(interaction.session?.accountId ?? '');
  if (account === undefined) throw new Problem('not_found', 'This page has expired.');
  const who = { accountId: account.id, clientId: client.id };
  const { usable, suspended } = await dependencies.consents.tenantsFor(who, tenantId);
  const [first] = usable;
  if (first === undefined) {
    await finish(ctx, pending, dependencies, noTenant(suspended));
    return undefined;
  }
  const tenant =
    tenantId === undefined && usable.length === 1
      ? first
      : usable.find(({ id }) => id === tenantId);
  if (tenant === undefined) {
    chooseTenant(ctx, dependencies, pending, { account, tenants: usable });
    return undefined;
  }
  noteFacts(ctx, { tenantId: tenant.id });
  const asked = requestOf(interaction.params);
  const servers = await dependencies.resources.serversAmong(asked.resources, client.id);
  const request = { ...who, tenant, ...asked, servers };
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
  dependencies: InteractionDependencies,
  pending: PendingAuthorization,
  shown: { readonly account: PageAccount; readonly tenants: readonly TenantChoice[] },
): void {
  const { pages, csrf } = dependencies;
  const tenants = shown.tenants.map(({ id, name, role }) => ({
    id,
    name,
    role: titleOf(role),
  }));
  pages.send(
    ctx,
    'choose-tenant',
    {
      title: 'Choose an organization',
      action: actionOf(ctx, `/consent/${pending.uid}`, pending, dependencies),
      csrf: csrf.token(ctx),
      hidden: [],
      client: shownClient(pending.client),
      accountEmail: shown.account.email,
      tenants,
    },
    { endsAtClient: true },
  );
}

function deny(
  ctx: PageContext,
  pending: PendingAuthorization,
  dependencies: InteractionDependencies,
  description: string,
): Promise<void> {
  return finish(ctx, pending, dependencies, {
    error: 'access_denied',
    error_description: description,
  });
}
