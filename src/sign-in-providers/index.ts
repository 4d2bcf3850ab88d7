import type { Context } from 'koa';
import type { DataSource, EntityManager } from 'typeorm';

import type { MembershipService } from '../accounts/index.js';
import type { RefusedSignIns } from '../audit/index.js';
import { createUsedProofs, type Keyring } from '../credentials/index.js';
import { noteRefusal } from '../http/errors/oauth-error.js';
import type { BrowserSecrets } from '../http/pages/browser-secret.js';
import type { Mail } from '../mail/index.js';
import type { Outbound } from '../outbound/index.js';
import { createAddressLimit } from '../rate-limits/index.js';
import { type AdmittedAccount, createAdmissions } from './admission.js';
import { type Attempt, type AttemptTarget, createAttempts } from './attempts.js';
import { readIdentity } from './identity.js';
import {
  createUnlink,
  type SessionsIn,
  type UnlinkOutcome,
  type UnlinkRequest,
} from './linking.js';
import { isProblem, type ProviderProblem, type ShownProblem, showProblem } from './problems.js';
import { createProviderClient } from './provider-client.js';
import type { ProviderEntry, ProviderSettings } from './providers-document.js';
import { createWays, type SignInWays } from './sign-in-ways.js';

/** The beginning of a sign-in: the URL of the provider, or the reason why there is none. */
type Beginning =
  | { readonly url: string }
  | { readonly problem: 'down' | 'throttled'; readonly retryAfterSeconds?: number };

/** The end of a sign-in. `attempt` is absent if the callback belongs to none. */
export type Completion =
  | { readonly attempt: Attempt; readonly account: AdmittedAccount }
  | { readonly attempt: Attempt | undefined; readonly problem: ProviderProblem };

/** A signed-in browser's session. */
type Session = Readonly<Record<'accountId' | 'sessionId', string>>;

/** Signing in with OpenID providers that the operator chose (`SIGN_IN_PROVIDERS`). */
export interface SignInProviders {
  /** Whether passwords are accepted, too. */
  readonly passwordSignIn: boolean;
  /** The providers, in the order of their buttons. */
  readonly buttons: readonly Pick<ProviderEntry, 'id' | 'name'>[];
  /** The id of the provider for an email address of one of its domains. */
  providerFor(email: string): string | undefined;
  isKnown(provider: string): boolean;
  /** The problem that an address names, in words. */
  problemIn(query: URLSearchParams): ShownProblem | undefined;
  /** Begins a sign-in in the browser of the request. */
  begin(
    ctx: Context,
    provider: string,
    options: {
      readonly target: AttemptTarget;
      /** Sent as `login_hint`. */
      readonly hint?: string | undefined;
      readonly isFresh?: boolean | undefined;
    },
  ): Promise<Beginning>;
  /**
   * Completes a sign-in with the provider's answer, which is the query of the request.
   * @param signedIn the session of the browser
   */
  complete(ctx: Context, provider: string, signedIn: Session | undefined): Promise<Completion>;
  /** The ways in which an account can sign in, apart from their names. */
  waysOf(accountId: string): Promise<SignInWays>;
  /** Ends the link of an account to an identity, unless it is the only way to sign in. */
  unlink(request: UnlinkRequest): Promise<UnlinkOutcome>;
}

/** Beginnings and callbacks of an address in a minute. Many people may share one. */
const PER_MINUTE = 60;
/** OIDC gives no limit. Longer hints are not email addresses. */
const MAX_HINT = 254;

interface Dependencies {
  readonly settings: ProviderSettings;
  readonly issuer: string;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly browsers: BrowserSecrets;
  readonly outbound: Outbound;
  readonly refusedSignIns: Pick<RefusedSignIns, 'note'>;
  readonly clientAddress: (request: Context['req']) => string;
  /** The monotonic clock of sliding windows, in milliseconds since the epoch. */
  readonly now: () => number;
  readonly sessionsIn: SessionsIn;
  readonly membershipsIn: (manager: EntityManager) => MembershipService;
  readonly mail: Pick<Mail, 'queue'>;
}

/** The path to which a provider sends the browser back: one for each, against mix-up (RFC 9700 §4.4.2.2). */
export const callbackPath = (provider: string) => `/login/providers/${provider}/callback`;

export function createSignInProviders(dependencies: Dependencies): SignInProviders {
  const { settings, issuer, outbound, clientAddress } = dependencies;
  const usedProofs = createUsedProofs(dependencies.dataSource.manager);
  const attempts = createAttempts({ ...dependencies, usedProofs });
  const limit = createAddressLimit(dependencies.now);
  const admit = (ctx: Context) =>
    limit.take('sign-in provider', clientAddress(ctx.req), PER_MINUTE);
  const providers = new Map(
    settings.providers.map((entry) => {
      const redirectUri = issuer + callbackPath(entry.id);
      return [entry.id, { entry, client: createProviderClient({ entry, outbound, redirectUri }) }];
    }),
  );
  const finish = createFinish(dependencies);

  return {
    waysOf: createWays(dependencies),
    unlink: createUnlink(dependencies),
    passwordSignIn: settings.passwordSignIn,
    buttons: settings.providers.map(({ id, name }) => ({ id, name })),
    providerFor: (email) => providerFor(settings, email)?.id,
    isKnown: (provider) => providers.has(provider),
    problemIn(query) {
      const problem = query.get('problem') ?? '';
      const entry = providers.get(query.get('provider') ?? '')?.entry;
      return entry !== undefined && isProblem(problem)
        ? showProblem(problem, entry.name)
        : undefined;
    },
    async begin(ctx, provider, { target, hint, isFresh = false }) {
      const verdict = admit(ctx);
      if (!verdict.isAllowed) return { ...verdict, problem: 'throttled' };
      const found = providers.get(provider);
      if (found === undefined) return { problem: 'down' };
      const attempt = attempts.begin(ctx, { provider, target, isFresh });
      const isHint = hint !== undefined && hint !== '' && hint.length <= MAX_HINT;
      const url = await found.client.authorizationUrl(attempt, isHint ? hint : undefined);
      return url === undefined ? { problem: 'down' } : { url: url.href };
    },
    async complete(ctx, provider, signedIn) {
      const found = providers.get(provider);
      if (!admit(ctx).isAllowed) return { attempt: undefined, problem: 'throttled' };
      if (found === undefined) return { attempt: undefined, problem: 'other_browser' };
      const query = new URLSearchParams(ctx.querystring);
      const attempt = await attempts.take(ctx, provider, query.get('state') ?? undefined);
      if ('fault' in attempt) {
        noteRefusal(ctx, 'sign_in', `provider ${provider}: ${attempt.fault}`);
        return { attempt: attempt.attempt, problem: attempt.fault };
      }
      if (!isOfSession(attempt, signedIn)) return { attempt, problem: 'other_session' };
      const answer = await found.client.exchange(attempt, query, Date.now() / 1000);
      return finish(ctx, found.entry, attempt, answer);
    },
  };
}

/** Somebody may have signed out meanwhile, or in as somebody else, in another tab. */
function isOfSession({ target }: Attempt, signedIn: Session | undefined): boolean {
  if (!('sessionId' in target)) return true;
  return target.accountId === signedIn?.accountId && target.sessionId === signedIn.sessionId;
}

/** The provider that the domain of an address is routed to. */
function providerFor(settings: ProviderSettings, email: string): ProviderEntry | undefined {
  const domain = email.trim().toLowerCase().split('@').at(-1) ?? '';
  return settings.providers.find(({ domains }) => domains.includes(domain));
}

/** Finds the account of a verified answer. Refusals are written to the audit log, without values of the provider. */
function createFinish(dependencies: Dependencies) {
  const { refusedSignIns, clientAddress } = dependencies;
  const admissions = createAdmissions(dependencies);
  const admit = (
    ctx: Context,
    entry: ProviderEntry,
    { target }: Attempt,
    identity: NonNullable<ReturnType<typeof readIdentity>>,
  ) => {
    const { requestId } = ctx.state as { readonly requestId: string };
    const request = { address: clientAddress(ctx.req), requestId };
    if (target.kind === 'link') {
      return admissions.link(entry, identity, target, request);
    }
    return target.kind === 'confirm'
      ? admissions.confirm(entry, identity, target.accountId)
      : admissions.signIn(entry, identity, request);
  };
  return async (
    ctx: Context,
    entry: ProviderEntry,
    attempt: Attempt,
    answer: Awaited<ReturnType<ReturnType<typeof createProviderClient>['exchange']>>,
  ): Promise<Completion> => {
    const refuse = (problem: ProviderProblem, cause: string, accountId?: string): Completion => {
      noteRefusal(ctx, 'sign_in', `provider ${entry.id}: ${problem}: ${cause}`);
      if (problem !== 'down' && problem !== 'cancelled') {
        const reason = `provider ${entry.id}: ${problem}` as const;
        refusedSignIns.note(accountId, reason, clientAddress(ctx.req));
      }
      return { attempt, problem };
    };
    if ('failure' in answer) return refuse(answer.failure, answer.cause);
    const identity = readIdentity(entry, answer.claims);
    if (identity === undefined) return refuse('invalid', 'subject');
    const admission = await admit(ctx, entry, attempt, identity);
    return 'refusal' in admission
      ? refuse(admission.refusal, 'admission', admission.accountId)
      : { attempt, account: admission.account };
  };
}

export type { AttemptTarget } from './attempts.js';
export type { ProviderProblem } from './problems.js';
export { isSignInCurrent } from './sign-in-mark.js';
export type { LinkedProvider, SignInWays } from './sign-in-ways.js';
