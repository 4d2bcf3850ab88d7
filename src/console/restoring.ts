import type { Context, Middleware } from 'koa';
import compose from 'koa-compose';

import { readForm } from '../http/body/form.js';
import type { RequestState } from '../http/context.js';
import type { Csrf } from '../http/pages/csrf.js';
import type { ConsoleSessions } from '../oauth/index.js';
import type { KeptForms } from './kept-form.js';
import type { PageAccess, SettingsContext, SettingsRoute, SettingsState } from './settings-gate.js';
import type { VisitorState } from './visitor.js';

interface Dependencies {
  readonly csrf: Pick<Csrf, 'judge'>;
  readonly sessions: Pick<ConsoleSessions, 'formerAccountOf'>;
  readonly keptForms: KeptForms;
}

type Restorable = SettingsRoute & Required<Pick<SettingsRoute, 'restore'>>;

/** The route that a form was submitted to. */
function createFinder(routes: readonly SettingsRoute[]) {
  const byDeclaration = new Map<unknown, SettingsRoute>(routes.map((route) => [route, route]));
  return ({ matched }: RequestState) => byDeclaration.get(matched?.byMethod.get('POST'));
}

/**
 * Makes the address to which a sign-in leads back: that of the request, or the page of a form whose own address has no
 * page. A form that can be shown again is kept for the account whose session has ended.
 */
export function createReturn(
  { csrf, sessions, keptForms }: Dependencies,
  routes: readonly SettingsRoute[],
): (ctx: Context) => Promise<string> {
  const find = createFinder(routes);
  return async (ctx) => {
    const address = ctx.path + ctx.search;
    if (ctx.method !== 'POST') return address;
    const state = ctx.state as RequestState;
    const route = find(state);
    if (route?.restore !== undefined) {
      const accountId = await sessions.formerAccountOf(ctx);
      if (accountId !== undefined) {
        const form = await readForm(ctx);
        const isOurs = csrf.judge(ctx, form) === 'ours';
        if (isOurs && keptForms.keep(ctx, accountId, address, form)) return address;
      }
    }
    const hasPage = route === undefined || state.matched?.byMethod.has('GET') === true;
    return hasPage ? address : `${route.access?.page ?? ''}${ctx.search}`;
  };
}

/** Shows a kept form again, at the address to which it was submitted. Nothing else is done with it. */
export function createRestoring(
  keptForms: KeptForms,
  routes: readonly SettingsRoute[],
  gate: (access: PageAccess | undefined) => Middleware<SettingsState>,
): Middleware<VisitorState> {
  const find = createFinder(routes.filter(isRestorable));
  return async (ctx, next) => {
    if (ctx.method !== 'GET' || !keptForms.has(ctx)) return next();
    const address = ctx.path + ctx.search;
    const kept = keptForms.take(ctx, ctx.state.visitor.accountId);
    const route = find(ctx.state);
    if (kept?.address !== address || route === undefined || !isRestorable(route)) return next();
    Object.assign(ctx.state, { form: kept.form, isRestored: true });
    // The gate adds what a `SettingsContext` has more.
    const show = compose<SettingsContext>([
      gate(route.access),
      (prepared) => route.restore(prepared),
    ]);
    return (show as Middleware<VisitorState>)(ctx, next);
  };
}

function isRestorable(route: SettingsRoute): route is Restorable {
  return route.restore !== undefined;
}
