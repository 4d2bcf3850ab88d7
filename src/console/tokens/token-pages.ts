import type { AccountMembership } from '../../accounts/account-store.js';
import { chooseTenant, memberOf } from '../../credentials/guard/session-guard.js';
import type { Csrf } from '../../http/pages/csrf.js';
import { readForm, singleValue } from '../../http/body/form.js';
import type { Pages } from '../../http/pages/pages.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import type { Route } from '../../http/routes.js';
import type { ConsoleViews, TokenForm } from '../page-data.js';
import type { NewPersonalToken, PersonalTokens, TokenOwner } from './personal-tokens.js';
import { emptyTokenForm, LIFETIMES, readTokenForm, withFaults, type Space } from './token-form.js';
import { showToken } from './token-view.js';
import { frameOf, seeOther, type SettingsContext, type VisitorState } from '../visitor.js';

export interface TokenPagesDependencies {
  readonly pages: Pages<ConsoleViews>;
  readonly csrf: Csrf;
  readonly tokens: PersonalTokens;
  readonly spacesOf: (tenantId: string) => Promise<readonly Space[]>;
  readonly clientAddress: (request: SettingsContext['req']) => string;
}

const LIST = '/settings/tokens';
const REVOKE = `${LIST}/:id/revoke`;

/** Notices by their name in the query of the redirect. */
const NOTICES: ReadonlyMap<string, string> = new Map([
  ['revoked', 'The token is revoked. Requests that use it are refused from now on.'],
]);

type TokenRoute = Route<'public', VisitorState>;

/** `/settings/tokens`: the visitor's own personal access tokens. */
export function createTokenPages(dependencies: TokenPagesDependencies): TokenRoute[] {
  const { pages, csrf, tokens, spacesOf } = dependencies;
  const frame = (ctx: SettingsContext) => ({ signedIn: frameOf(ctx, csrf) });

  const show = async (
    ctx: SettingsContext,
    { membership, owner }: Where,
    form?: TokenForm,
    notice?: string,
  ) => {
    const spaces = await spacesOf(membership.tenantId);
    const shown = (await tokens.list(owner)).map((token) =>
      showToken(token, spaces, addressIn(membership, REVOKE.replace(':id', token.id))),
    );
    const page = {
      title: 'Personal access tokens',
      action: addressIn(membership, LIST),
      csrf: csrf.token(ctx),
      tenantName: membership.tenantName,
      tenants: switcher(ctx.state.visitor.memberships, membership),
      notice,
      tokens: shown,
      form: form ?? emptyTokenForm(spaces),
      lifetimes: LIFETIMES,
    };
    pages.send(ctx, 'tokens', page, { status: form === undefined ? 200 : 422, ...frame(ctx) });
  };

  /** @returns the faults that the service found: of fields, or the reason why no token can be created now */
  const create = async (
    ctx: SettingsContext,
    { membership, owner }: Where,
    fields: NewPersonalToken,
  ) => {
    try {
      const { name, secret } = await tokens.create(owner, fields);
      const page = { title: 'Your new token', name, secret, back: addressIn(membership, LIST) };
      pages.send(ctx, 'new-token', page, frame(ctx));
      return undefined;
    } catch (error) {
      if (error instanceof Problem && error.errors !== undefined) return error.errors;
      if (error instanceof Problem && error.code === 'conflict') return error.message;
      throw error;
    }
  };

  const askWhetherToRevoke = async (ctx: SettingsContext, { membership, owner }: Where) => {
    const token = (await tokens.list(owner)).find(({ id }) => id === idOf(ctx));
    if (token === undefined) throw new Problem('not_found', 'Token not found.');
    if (token.status === 'revoked') return seeOther(ctx, addressIn(membership, LIST));
    const spaces = await spacesOf(membership.tenantId);
    const action = addressIn(membership, REVOKE.replace(':id', token.id));
    const page = {
      title: `Revoke ${token.name}?`,
      action,
      csrf: csrf.token(ctx),
      back: addressIn(membership, LIST),
      token: showToken(token, spaces, action),
    };
    return pages.send(ctx, 'revoke-token', page, frame(ctx));
  };

  const page = (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: SettingsContext, where: Where, form: URLSearchParams) => Promise<void>,
  ): TokenRoute => ({
    method,
    path,
    access: 'public',
    async handle(ctx) {
      const form = method === 'POST' ? await readForm(ctx) : new URLSearchParams();
      if (method === 'POST') csrf.check(ctx, form);
      await handle(ctx, whereOf(ctx, dependencies), form);
    },
  });
  return [
    page('GET', LIST, (ctx, where) =>
      show(ctx, where, undefined, NOTICES.get(queryOf(ctx, 'done') ?? '')),
    ),
    page('POST', LIST, async (ctx, where, submitted) => {
      const { form, fields } = readTokenForm(submitted, await spacesOf(where.membership.tenantId));
      if (fields === undefined) return show(ctx, where, form);
      const faults = await create(ctx, where, fields);
      if (typeof faults === 'string') {
        await show(ctx, where, { ...form, errors: { form: faults } });
      } else if (faults !== undefined) await show(ctx, where, withFaults(form, faults));
    }),
    page('GET', REVOKE, askWhetherToRevoke),
    page('POST', REVOKE, async (ctx, { membership, owner }) => {
      await tokens.revoke(owner, idOf(ctx));
      seeOther(ctx, `${addressIn(membership, LIST)}&done=revoked`);
    }),
  ];
}

/** The page's tenant, and the visitor as its member. */
interface Where {
  readonly membership: AccountMembership;
  readonly owner: TokenOwner;
}

/** @throws Problem as `chooseTenant` does; where nothing is changed, the first tenant that can be used will do */
function whereOf(
  ctx: SettingsContext,
  { clientAddress }: Pick<TokenPagesDependencies, 'clientAddress'>,
): Where {
  const { visitor, requestId } = ctx.state;
  const { memberships } = visitor;
  const usable = memberships.find(({ isTenantSuspended }) => !isTenantSuspended);
  const first = ctx.method === 'POST' ? '' : (usable?.tenantSlug ?? '');
  const named = queryOf(ctx, 'tenant') ?? first;
  const membership = chooseTenant(memberships, named, 'Open the page again and choose one.');
  noteFacts(ctx, { tenantId: membership.tenantId });
  const { accountId, sessionId } = visitor;
  const actor = { id: accountId, address: clientAddress(ctx.req), requestId };
  return { membership, owner: { ...memberOf({ accountId, sessionId }, membership), actor } };
}

function switcher(memberships: readonly AccountMembership[], current: AccountMembership) {
  if (memberships.length < 2) return [];
  return memberships.map((membership) => ({
    name: membership.tenantName,
    href: addressIn(membership, LIST),
    isCurrent: membership.tenantId === current.tenantId,
    isSuspended: membership.isTenantSuspended,
  }));
}

/** Every path names its tenant, so that nobody acts in another one by accident. */
function addressIn({ tenantSlug }: AccountMembership, path: string): string {
  return `${path}?tenant=${encodeURIComponent(tenantSlug)}`;
}

function queryOf(ctx: SettingsContext, name: string): string | undefined {
  return singleValue(new URLSearchParams(ctx.querystring), name);
}

function idOf(ctx: SettingsContext): string {
  return ctx.params['id'] ?? '';
}
