import type { Middleware } from 'koa';
import compose from 'koa-compose';

import type { RequestState } from '../http/context.js';
import { answerPageErrors } from '../http/errors/page-errors.js';
import { Problem } from '../http/errors/problem.js';
import type { Csrf } from '../http/pages/csrf.js';
import type { Pages } from '../http/pages/pages.js';
import type { Router } from '../http/router.js';
import { type ConsoleSessions, type OAuthViews, renderPageError } from '../oauth/index.js';
import type { SessionLimit } from '../rate-limits/index.js';
import { home } from './home-route.js';
import type { KeptForms } from './kept-form.js';
import { createRestoring, createReturn } from './restoring.js';
import { createSettingsGate, type SettingsRoute, type SettingsState } from './settings-gate.js';
import {
  createVisitorGate,
  frameOf,
  hasVisitor,
  type ConsoleAccounts,
  type VisitorState,
} from './visitor.js';

interface Dependencies {
  readonly router: Router;
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly sessions: ConsoleSessions;
  readonly accounts: ConsoleAccounts;
  readonly limitSession: SessionLimit;
  readonly keptForms: KeptForms;
  readonly clientAddress: Parameters<typeof createSettingsGate>[0]['clientAddress'];
}

/** Makes the middleware of the settings pages. The gate admits signed-in visitors only. */
export function createSettings(
  dependencies: Dependencies,
  routes: readonly SettingsRoute[],
): Middleware<RequestState> {
  const { router, pages, csrf, sessions, accounts, limitSession, clientAddress } = dependencies;
  const { administratorsOf } = accounts;
  const gate = createSettingsGate({ csrf, clientAddress, administratorsOf });
  const chain: Middleware<VisitorState>[] = [
    answerPageErrors((ctx, error) => {
      renderPageError(pages, ctx, error, hasVisitor(ctx) ? frameOf(ctx, csrf) : undefined);
    }) as Middleware<VisitorState>,
    createVisitorGate({ sessions, accounts, returnAddress: createReturn(dependencies, routes) }),
    limitSession<VisitorState>(({ visitor }) => visitor.sessionId),
    home,
    createRestoring(dependencies.keptForms, routes, gate),
    router.mount('', routes, ({ access }) => [
      gate(access) as Middleware<SettingsState>,
    ]) as Middleware<VisitorState>,
    () => {
      throw new Problem('not_found', 'Page not found.');
    },
  ];
  return compose(chain) as Middleware<RequestState>;
}
