import type { Middleware } from 'koa';

import { readForm, type Form } from '../http/body/form.js';
import type { RouteContext } from '../http/context.js';
import { Problem } from '../http/errors/problem.js';
import type { Csrf } from '../http/pages/csrf.js';
import { noteFacts } from '../http/request-facts.js';
import type { Route } from '../http/routes.js';
import type { Role } from '../scopes/roles.js';
import { CONSOLE_PAGES, PERSONAL_PAGES, type ConsolePage } from './navigation.js';
import {
  readOrganization,
  withoutOrganization,
  type OrganizationContext,
  type PersonalContext,
} from './organization-context.js';
import type { VisitorState } from './visitor.js';

/** The access rule of a route of the settings area. */
export interface PageAccess {
  /** The page of the sidebar that the route belongs to. */
  readonly page: ConsolePage['path'];
  /** The roles that may use this route; by default all that may open the page. */
  readonly roles?: readonly Role[];
  /** Whether a route of a personal page needs an organization. */
  readonly isOfMembers?: boolean;
}

export interface SettingsState extends VisitorState {
  /** The visitor. It is the organization's context unless the visitor belongs to none. */
  personal: PersonalContext;
  /** The page's organization and environment, and the visitor as its member. Absent on personal pages without one. */
  organization: OrganizationContext;
  /** The submitted form, with a valid CSRF token. Empty for GET, except where a kept form is shown again. */
  form: Form;
}

export interface SettingsRoute extends Route<PageAccess, SettingsState> {
  /**
   * Shows the submitted form again without doing anything, after a sign-in that became necessary meanwhile. A form
   * without it is not kept.
   */
  readonly restore?: (ctx: SettingsContext) => Promise<void> | void;
}

export type SettingsContext = RouteContext<SettingsState>;

interface Dependencies {
  readonly csrf: Csrf;
  readonly clientAddress: (request: SettingsContext['req']) => string;
  /** The names of a tenant's administrators, up to three. */
  readonly administratorsOf: (tenantId: string) => Promise<readonly string[]>;
}

/**
 * Makes the gate before each route of the settings area: it reads form and organization, and refuses a role that may not
 * use the route.
 *
 * @throws Problem `forbidden` for a form without its CSRF token, or a role that may not use the page; and as
 *   `chooseTenant` does
 */
export function createSettingsGate({
  csrf,
  clientAddress,
  administratorsOf,
}: Dependencies): (access: PageAccess | undefined) => Middleware<SettingsState> {
  return (access) => async (ctx, next) => {
    const { state } = ctx;
    // A form that is shown again was checked when it was kept.
    const kept = (state as Partial<SettingsState>).form ?? new URLSearchParams();
    state.form = ctx.method === 'POST' ? await readForm(ctx) : kept;
    if (ctx.method === 'POST') csrf.check(ctx, state.form);
    const { visitor, requestId } = state;
    const { accountId, sessionId } = visitor;
    const actor = { id: accountId, address: clientAddress(ctx.req), requestId };
    const who = { accountId, sessionId, actor };
    if (visitor.memberships.length === 0 && isPersonal(access)) {
      state.personal = withoutOrganization(who);
      return next();
    }
    // A suspended organization does not keep its members from changing their own accounts.
    const method = isPersonal(access) ? 'GET' : ctx.method;
    const asked = { method, querystring: ctx.querystring };
    const organization = readOrganization(asked, visitor.memberships, who);
    state.personal = organization;
    state.organization = organization;
    noteFacts(ctx, { tenantId: organization.tenantId });
    if (!maySee(organization.role, access)) {
      throw new Problem('forbidden', await whomToAsk(organization, administratorsOf));
    }
    return next();
  };
}

function isPersonal(access: PageAccess | undefined): boolean {
  return PERSONAL_PAGES.some(({ path }) => path === access?.page) && access?.isOfMembers !== true;
}

/** Whether a role may use a route. One without an access rule admits nobody. */
function maySee(role: Role, access: PageAccess | undefined): boolean {
  const page = CONSOLE_PAGES.find(({ path }) => path === access?.page);
  return page?.roles.includes(role) === true && access?.roles?.includes(role) !== false;
}

async function whomToAsk(
  { tenantId, tenantName }: OrganizationContext,
  administratorsOf: Dependencies['administratorsOf'],
): Promise<string> {
  const names = await administratorsOf(tenantId);
  const list = new Intl.ListFormat('en', { type: 'disjunction' }).format(names);
  const title = names.length === 1 ? 'administrator' : 'administrators';
  const who = names.length === 0 ? 'an administrator' : `${list}, ${title}`;
  return `Your role in ${tenantName} does not include this. Ask ${who} of ${tenantName}.`;
}
