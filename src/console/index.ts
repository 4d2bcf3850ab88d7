import compose from 'koa-compose';
import type { Middleware } from 'koa';
import type { DataSource } from 'typeorm';

import { createAccountStore } from '../accounts/account-store.js';
import type { KeyRouteDependencies } from '../api-keys/key-routes.js';
import { newPersonalToken } from '../api-keys/key-schema.js';
import { createPersonalTokenRoutes, createPersonalTokens } from '../api-keys/personal-tokens.js';
import type { ConsoleViews } from './page-data.js';
import type { PersonalTokens } from './tokens/personal-tokens.js';
import { createSessionRoutes } from './session-routes.js';
import { createSignInRoutes } from './sign-in-routes.js';
import { createTokenPages } from './tokens/token-pages.js';
import { createVisitorGate, frameOf, type VisitorState } from './visitor.js';
import { createCredentialStore } from '../credentials/store/credential-store.js';
import { guardLateBody } from '../credentials/guard/guard.js';
import type { Presentations } from '../credentials/verification/presentation.js';
import {
  createSessionGuard,
  type SessionAccess,
  type SessionState,
} from '../credentials/guard/session-guard.js';
import type { SessionLimit } from '../rate-limits/session-limit.js';
import type { RequestState } from '../http/context.js';
import type { Csrf } from '../http/pages/csrf.js';
import { readBody } from '../http/body/body.js';
import type { Caller, Idempotency } from '../http/idempotency/idempotency.js';
import { createReader, createUnitOfWork } from '../http/idempotency/unit-of-work.js';
import { answerPageErrors } from '../http/errors/page-errors.js';
import type { Pages } from '../http/pages/pages.js';
import { Problem } from '../http/errors/problem.js';
import { createQueryCheck } from '../http/query.js';
import { createRoutes, type Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
import { renderPageError } from '../oauth/authorize/endpoint.js';
import type { ConsoleSessions } from '../oauth/library/browser-sessions.js';
import type { OAuthViews } from '../oauth/authorize/views.js';
import type { SignInPage } from '../oauth/authorize/sign-in-page.js';
import { createSpaceStore, MAX_SPACES } from '../spaces/space-store.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly pages: Pages<ConsoleViews & OAuthViews>;
  readonly csrf: Csrf;
  readonly sessions: ConsoleSessions;
  readonly signInPage: SignInPage;
  readonly clientAddress: KeyRouteDependencies['clientAddress'];
  readonly presentations: Presentations;
  readonly idempotency: Idempotency;
  /** Dependencies of the routes that manage keys. */
  readonly keys: KeyRouteDependencies;
  readonly limitSession: SessionLimit;
  /** The guard of routes that admit no credential. */
  readonly refuse: Middleware;
  readonly tenantHeader: string;
  readonly resourceMetadataUrl: string;
}

/** The console's routes and pages, as `app.ts` mounts them. */
export interface ConsoleApp {
  /** Sign-in and sign-out. */
  readonly signIn: readonly Route<'public'>[];
  /** The pages below `/settings/`. Anonymous visitors are redirected to `/login`. */
  readonly pages: Middleware<RequestState>;
  /** The routes of `pages`. */
  readonly pageRoutes: readonly Pick<Route<unknown>, 'method' | 'path'>[];
  /** Routes of the API for signed-in browsers. */
  readonly apiRoutes: readonly Route<SessionAccess, SessionState>[];
  /** The middleware before each of `apiRoutes`, the guard first. */
  readonly before: (route: Route<SessionAccess, SessionState>) => Middleware<SessionState>[];
}

/** Composes the console: sessions, the settings pages, and its part of the API. */
export function createConsoleApp(dependencies: Dependencies): ConsoleApp {
  const { dataSource, pages, csrf, sessions, signInPage, keys, idempotency } = dependencies;
  const accounts = {
    async find(id: string) {
      const account = await createAccountStore(dataSource.manager).find(id);
      return account && { id, email: account.email, name: account.name };
    },
    membershipsOf: (id: string) => createAccountStore(dataSource.manager).listMemberships(id),
  };
  const tokenPages = createTokenPages({
    ...dependencies,
    tokens: createOwnTokens(dataSource, keys),
    spacesOf: async (tenantId) => {
      const page = { limit: MAX_SPACES, after: undefined };
      const spaces = await createSpaceStore(dataSource.manager).list(tenantId, null, page);
      return spaces.toSorted((one, other) => one.name.localeCompare(other.name, 'en'));
    },
  });
  const guard = createSessionGuard({ ...dependencies, membershipsOf: accounts.membershipsOf });
  const limit = dependencies.limitSession<SessionState>(({ signedIn }) => signedIn.sessionId);
  const reader = createReader(dataSource);
  const unitOfWork = createUnitOfWork({ dataSource, idempotency, callerOf });
  const settings: Middleware<VisitorState>[] = [
    answerPageErrors((ctx, error) => {
      const { visitor } = ctx.state as Partial<VisitorState>;
      renderPageError(pages, ctx, error, visitor && frameOf(ctx as never, csrf));
    }) as Middleware<VisitorState>,
    createVisitorGate({ sessions, accounts }),
    dependencies.limitSession<VisitorState>(({ visitor }) => visitor.sessionId),
    createRoutes('', tokenPages, () => []),
    () => {
      throw new Problem('not_found', 'Page not found.');
    },
  ];
  return {
    signIn: createSignInRoutes({ csrf, signInPage, sessions }),
    pages: compose(settings) as Middleware<RequestState>,
    pageRoutes: tokenPages,
    apiRoutes: [
      ...createSessionRoutes({ accounts }),
      ...createPersonalTokenRoutes<SessionAccess, SessionState>({ session: 'member' }, keys),
    ],
    before: ({ method, access, query, handle }) =>
      method === 'GET'
        ? [guard(access), limit, createQueryCheck(query ?? []), reader as Middleware<SessionState>]
        : [
            guard(access),
            limit,
            createQueryCheck(query ?? []),
            readBody as Middleware<SessionState>,
            guardLateBody(guard(access)),
            unitOfWork({ handle }),
          ],
  };
}

/** The caller for idempotency. It stays the same after another sign-in. */
function callerOf({ signedIn: { accountId }, member }: SessionState): Caller {
  return { scope: member?.tenantId ?? accountId, identity: [accountId, 'session'] };
}

/** Above the number of tokens that an account can have, revoked ones included. */
const MAX_LISTED = 1000;

/** Manages personal access tokens for their page. Each change is one transaction. */
function createOwnTokens(
  dataSource: DataSource,
  { serviceOf }: KeyRouteDependencies,
): PersonalTokens {
  const { manager } = dataSource;
  const service = createPersonalTokens(manager, (work) =>
    dataSource.transaction((manager) => work(serviceOf({ state: { manager } }))),
  );
  return {
    list: (owner) => service.list(owner, { limit: MAX_LISTED, after: undefined }),
    async create(owner, { expiresInDays, ...fields }) {
      const now = await createCredentialStore(manager).now();
      const expiresAt =
        expiresInDays === null ? null : new Date(now.getTime() + expiresInDays * 86_400_000);
      const wanted = parseWith(newPersonalToken, {
        ...fields,
        expiresAt: expiresAt?.toISOString(),
      });
      const { key, secret } = await service.create(owner, wanted);
      return { name: key.name, secret };
    },
    revoke: (owner, id) => service.revoke(owner, id),
  };
}
