import type { Middleware } from 'koa';
import type { DataSource, EntityManager } from 'typeorm';

import type { Exporter } from '../audit-log/index.js';
import { createAccounts, createAccountStore, type HashingQueue } from '../accounts/index.js';
import { type ApiKeys, createPersonalTokenRoutes } from '../api-keys/index.js';
import type { ClientLogos } from '../clients/index.js';
import { createConnectedAppRoutes } from '../connected-apps/index.js';
import type {
  Keyring,
  Presentations,
  SecretFormat,
  SessionRoute,
  SessionState,
} from '../credentials/index.js';
import { createConsentStore } from '../grants/index.js';
import type { RequestState } from '../http/context.js';
import type { Idempotency } from '../http/idempotency/idempotency.js';
import type { Csrf } from '../http/pages/csrf.js';
import type { Pages } from '../http/pages/pages.js';
import type { Pagination } from '../http/pagination.js';
import type { Router } from '../http/router.js';
import type { Route } from '../http/routes.js';
import type {
  ConsoleSessions,
  ContinueAuthorization,
  OAuthViews,
  SignInPage,
} from '../oauth/index.js';
import { createAddressLimit, type RateLimits, type SessionLimit } from '../rate-limits/index.js';
import { createAuditPages } from './audit-log/audit-pages.js';
import { connectedAppsOf, createConnectedAppSettings } from './connected-apps/index.js';
import { createGeneralPages } from './general/general-pages.js';
import type { CredentialTester } from '../tester/index.js';
import type { Mail } from '../mail/index.js';
import type { Outbound } from '../outbound/index.js';
import { createSessionStore } from '../sessions/index.js';
import type { SignInProviders } from '../sign-in-providers/index.js';
import { createAccountSettings } from './account/index.js';
import { createConfirmationGate } from './account/confirmation-gate.js';
import { createMailedPages } from './mailed/index.js';
import { createMemberSettings } from './members/index.js';
import { createKeptForms } from './kept-form.js';
import { titleOf } from '../scopes/roles.js';
import type { ConsoleViews } from './page-data.js';
import { createSessionEntrance, createSessionPipeline, type ApiPipeline } from './session-api.js';
import { createSessionRoutes } from './session-routes.js';
import { createProviderRoutes } from './providers/callback-route.js';
import { createSettings } from './settings-middleware.js';
import { createShowPage } from './settings-views.js';
import { createSignInRoutes } from './sign-in-routes.js';
import { createSpacePages } from './spaces/spaces-pages.js';
import { createSearchPages } from './search/index.js';
import { createTesterPages } from './tester/index.js';
import { createKeySettings } from './keys/index.js';
import { createUsagePages } from './usage/usage-pages.js';
import { createWebhookSettings } from './webhooks/index.js';
import type { ConsoleAccounts } from './visitor.js';

export { deleteExpiredHandovers } from './keys/secret-handover.js';
export { HOME, loginFor } from './return-to.js';
export type { ConsoleViews } from './page-data.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly mail: Mail;
  readonly hashing: HashingQueue;
  readonly issuer: string;
  /** The monotonic clock of sliding windows, in milliseconds since the epoch. */
  readonly now: () => number;
  readonly router: Router;
  readonly pages: Pages<ConsoleViews & OAuthViews>;
  readonly csrf: Csrf;
  readonly sessions: ConsoleSessions;
  readonly signInPage: SignInPage;
  readonly providers: SignInProviders;
  readonly continueAuthorization: ContinueAuthorization;
  readonly clientAddress: ApiKeys['clientAddress'];
  readonly pagination: Pagination;
  readonly presentations: Presentations;
  readonly idempotency: Idempotency;
  readonly keys: ApiKeys;
  readonly tester: CredentialTester;
  readonly logos: Pick<ClientLogos, 'pathsOf'>;
  readonly activity: Parameters<typeof createKeySettings>[0]['activity'];
  readonly config: Parameters<typeof createKeySettings>[0]['config'];
  /** Checks the URLs of webhooks. */
  readonly outbound: Pick<Outbound, 'isFetchable'>;
  readonly limitSession: SessionLimit;
  readonly rateLimits: RateLimits;
  readonly exporter: Exporter;
  /** How long the audit log is kept. */
  readonly auditRetentionDays: number;
  /** The guard of routes that admit no credential. */
  readonly refuse: Middleware;
  readonly tenantHeader: string;
  readonly resourceMetadataUrl: string;
}

/** The console's routes and pages, as `app.ts` mounts them. */
export interface Console {
  /** Sign-in, sign-out, and the pages that links in mails lead to. Errors are pages. */
  readonly signIn: readonly Route<'public'>[];
  /** Everything below `/settings/`. */
  readonly pages: Middleware<RequestState>;
  /** The routes of `pages`. */
  readonly pageRoutes: readonly Pick<Route<unknown>, 'method' | 'path'>[];
  /** Routes of the API for signed-in browsers. */
  readonly apiRoutes: readonly SessionRoute[];
  /** The middleware before each of `apiRoutes`, the guard first. */
  readonly before: (route: SessionRoute) => Middleware<SessionState>[];
  /** Adds signed-in browsers to the callers of routes for credentials that admit them. */
  readonly withSessions: (pipeline: ApiPipeline) => ApiPipeline;
}

/** Composes the console: sign-in, the settings pages, and its part of the API. */
export function createConsole(dependencies: Dependencies): Console {
  const { keys } = dependencies;
  const keptForms = createKeptForms(dependencies, 'ended');
  const accounts = createConsoleAccounts(dependencies.dataSource.manager);
  // Each page of the settings adds its routes here.
  const shared = createShared(dependencies);
  const pageRoutes = [
    ...createKeySettings(shared),
    ...createUsagePages(shared),
    ...createSpacePages(shared),
    ...createAuditPages(shared),
    ...createConnectedAppSettings(shared),
    ...createGeneralPages(shared),
    ...createSearchPages(shared),
    ...createTesterPages(shared),
    ...createWebhookSettings(shared),
    ...createAccountSettings(shared),
    ...createMemberSettings(shared),
  ];
  // Each feature that signed-in browsers call adds its routes here.
  const apiRoutes = [
    ...createSessionRoutes({ accounts }),
    ...createPersonalTokenRoutes(keys),
    ...createConnectedAppRoutes({
      ...dependencies,
      serviceOf: ({ state }) => connectedAppsOf(state.manager),
    }),
  ];
  const session = { ...dependencies, membershipsOf: accounts.membershipsOf };
  return {
    signIn: [
      ...createSignInRoutes({ ...dependencies, keptForms }),
      ...createProviderRoutes(dependencies),
      ...createMailedPages({
        ...shared,
        people: accounts,
        addressLimit: createAddressLimit(dependencies.now),
      }),
    ],
    pages: createSettings({ ...dependencies, accounts, keptForms }, pageRoutes),
    pageRoutes,
    apiRoutes,
    before: createSessionPipeline(session),
    withSessions: (pipeline) => createSessionEntrance(session, pipeline),
  };
}

/** Parts that the pages share. */
function createShared(dependencies: Dependencies) {
  const { keyring, dataSource } = dependencies;
  const showPage = createShowPage(dependencies);
  return {
    ...dependencies,
    showPage,
    /** Pages that make a secret ask it first. */
    confirmationGate: createConfirmationGate({
      ...dependencies,
      showPage,
      keptForms: createKeptForms(dependencies, 'confirmation'),
      signedInWithin: (...which) =>
        createSessionStore(dataSource.manager, keyring).signedInWithin(...which),
    }),
    accounts: createAccounts({
      ...dependencies,
      titleOf,
      endSessions: (manager, ...which) => createSessionStore(manager, keyring).endAllOf(...which),
      forgetConsents: (manager, ...which) => createConsentStore(manager).deleteOfMember(...which),
    }),
  };
}

function createConsoleAccounts(manager: EntityManager): ConsoleAccounts {
  const accounts = createAccountStore(manager);
  return {
    async find(id) {
      const account = await accounts.find(id);
      return account && { id, email: account.email, name: account.name };
    },
    membershipsOf: (id, named) => accounts.listMemberships(id, named),
    administratorsOf: (tenantId) => accounts.listAdministrators(tenantId, 3),
  };
}
