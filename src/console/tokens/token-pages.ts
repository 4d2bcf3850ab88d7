import type { Csrf } from '../../http/pages/csrf.js';
import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import type { OrganizationContext } from '../organization-context.js';
import type { PasswordGate } from '../account/password-gate.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import type { TokenForm } from '../page-data.js';
import type { NewPersonalToken, PersonalTokens } from './personal-tokens.js';
import { emptyTokenForm, LIFETIMES, readTokenForm, withFaults, type Space } from './token-form.js';
import { showToken } from './token-view.js';
import { seeOther } from '../visitor.js';

export interface TokenPagesDependencies {
  readonly showPage: ShowPage;
  readonly csrf: Csrf;
  readonly passwordGate: PasswordGate;
  readonly tokens: PersonalTokens;
  readonly spacesOf: (tenantId: string) => Promise<readonly Space[]>;
}

const LIST = '/settings/tokens';
const REVOKE = `${LIST}/:id/revoke`;

/** Notices by their name in the query of the redirect. */
const NOTICES: ReadonlyMap<string, string> = new Map([
  ['revoked', 'The token is revoked. Requests that use it are refused from now on.'],
]);

/** `/settings/tokens`: the visitor's own personal access tokens. */
export function createTokenPages(dependencies: TokenPagesDependencies): SettingsRoute[] {
  const { tokens, spacesOf, passwordGate } = dependencies;
  const { show, create, askWhetherToRevoke } = createViews(dependencies);
  const page = (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: SettingsContext, at: OrganizationContext) => Promise<void>,
  ): SettingsRoute => ({
    method,
    path,
    access: { page: LIST },
    handle: (ctx) => handle(ctx, ctx.state.organization),
  });
  return [
    page('GET', LIST, (ctx, at) =>
      show(ctx, at, undefined, NOTICES.get(queryOf(ctx, 'done') ?? '')),
    ),
    page('POST', LIST, async (ctx, at) => {
      const { form, fields } = readTokenForm(ctx.state.form, await spacesOf(at.tenantId));
      if (fields === undefined) return show(ctx, at, form);
      if (!(await passwordGate.pass(ctx))) return;
      const faults = await create(ctx, at, fields);
      if (typeof faults === 'string') {
        await show(ctx, at, { ...form, errors: { form: faults } });
      } else if (faults !== undefined) await show(ctx, at, withFaults(form, faults));
    }),
    page('GET', REVOKE, askWhetherToRevoke),
    page('POST', REVOKE, async (ctx, at) => {
      await tokens.revoke(at, idOf(ctx));
      seeOther(ctx, at.href(LIST, { done: 'revoked' }));
    }),
  ];
}

function createViews({ showPage, csrf, tokens, spacesOf }: TokenPagesDependencies) {
  const show = async (
    ctx: SettingsContext,
    at: OrganizationContext,
    form?: TokenForm,
    notice?: string,
  ) => {
    const spaces = await spacesOf(at.tenantId);
    const shown = (await tokens.list(at)).map((token) =>
      showToken(token, spaces, at.href(REVOKE.replace(':id', token.id))),
    );
    const page = {
      title: 'Personal access tokens',
      action: at.href(LIST),
      csrf: csrf.token(ctx),
      tenantName: at.tenantName,
      notice,
      tokens: shown,
      form: form ?? emptyTokenForm(spaces),
      lifetimes: LIFETIMES,
    };
    showPage(ctx, 'tokens', page, { status: form === undefined ? 200 : 422 });
  };

  /** @returns the faults that the service found: of fields, or the reason why no token can be created now */
  const create = async (
    ctx: SettingsContext,
    at: OrganizationContext,
    fields: NewPersonalToken,
  ) => {
    try {
      const { name, secret } = await tokens.create(at, fields);
      const page = { title: 'Your new token', name, secret, back: at.href(LIST) };
      showPage(ctx, 'new-token', page);
      return undefined;
    } catch (error) {
      if (error instanceof Problem && error.errors !== undefined) return error.errors;
      if (error instanceof Problem && error.code === 'conflict') return error.message;
      throw error;
    }
  };

  const askWhetherToRevoke = async (ctx: SettingsContext, at: OrganizationContext) => {
    const token = (await tokens.list(at)).find(({ id }) => id === idOf(ctx));
    if (token === undefined) throw new Problem('not_found', 'Token not found.');
    if (token.status === 'revoked') return seeOther(ctx, at.href(LIST));
    const spaces = await spacesOf(at.tenantId);
    const action = at.href(REVOKE.replace(':id', token.id));
    const page = {
      title: `Revoke ${token.name}?`,
      action,
      csrf: csrf.token(ctx),
      back: at.href(LIST),
      token: showToken(token, spaces, action),
    };
    return showPage(ctx, 'revoke-token', page);
  };

  return { show, create, askWhetherToRevoke };
}

function queryOf(ctx: SettingsContext, name: string): string | undefined {
  return singleValue(new URLSearchParams(ctx.querystring), name);
}

function idOf(ctx: SettingsContext): string {
  return ctx.params['id'] ?? '';
}
