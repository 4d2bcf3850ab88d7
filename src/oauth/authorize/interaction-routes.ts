import { readForm, singleValue, type Form } from '../../http/body/form.js';
import type { Route } from '../../http/routes.js';
import type { SessionStore } from '../../sessions/index.js';
import { decide, showConsent } from './consent-page.js';
import { shownClient } from './views.js';
import { textOf } from '../parameters.js';
import {
  actionOf,
  alreadyAnswered,
  findAuthorization,
  finish,
  resume,
  type InteractionDependencies,
  type PageContext,
  type PendingAuthorization,
} from './pending-authorization.js';
import type { SignedInAccount, SignInPage } from './sign-in-page.js';

export interface InteractionRouteDependencies extends InteractionDependencies {
  readonly signInPage: SignInPage;
  readonly sessions: () => Pick<SessionStore, 'signOut'>;
  readonly normalizeEmail: (email: string) => string;
}

type Handle = (ctx: PageContext, form: Form) => Promise<void>;

/**
 * The sign-in and consent pages of a pending authorization. The path names the authorization. Only the browser that began
 * it may see its pages and send its forms.
 *
 * A form that is sent again gets the response of the first one.
 */
export function createInteractionRoutes(
  dependencies: InteractionRouteDependencies,
): Route<'public'>[] {
  const { csrf } = dependencies;
  const page = (method: 'GET' | 'POST', path: string, handle: Handle): Route<'public'> => ({
    method,
    path,
    access: 'public',
    async handle(ctx) {
      const form = method === 'POST' ? await readForm(ctx) : new URLSearchParams();
      if (method === 'POST') csrf.check(ctx, form);
      await handle(ctx, form);
    },
  });
  const consent =
    (handle: (ctx: PageContext, pending: PendingAuthorization, form: Form) => unknown): Handle =>
    (ctx, form) =>
      // Under the interaction's lock, so that exactly one of concurrent "Allow" and "Cancel" takes effect.
      dependencies.transaction(async () => {
        const found = await findAuthorization(ctx, dependencies, 'lock');
        // The browser's Back button must not send the same code again.
        if (found.isAnswered && ctx.method === 'GET') throw alreadyAnswered();
        if (found.isAnswered || isDecided(found.pending)) resume(ctx, dependencies.issuer);
        else await handle(ctx, found.pending, form);
      });
  return [
    page('GET', '/login/:uid', (ctx) => showSignIn(ctx, dependencies)),
    page('POST', '/login/:uid', (ctx, form) => signIn(ctx, form, dependencies)),
    page(
      'GET',
      '/consent/:uid',
      consent((ctx, pending) => showConsent(ctx, pending, dependencies)),
    ),
    page(
      'POST',
      '/consent/:uid',
      consent((ctx, pending, form) => decide(ctx, pending, form, dependencies)),
    ),
  ];
}

function isDecided({ interaction: { result } }: PendingAuthorization): boolean {
  return result?.consent !== undefined || result?.error !== undefined;
}

function viewOf(
  ctx: PageContext,
  pending: PendingAuthorization,
  dependencies: InteractionRouteDependencies,
) {
  const { uid, interaction, client } = pending;
  const { params } = interaction;
  return {
    action: actionOf(ctx, `/login/${uid}`, pending, dependencies),
    target: { kind: 'authorization', uid } as const,
    // The app asks for an authentication that happens now, or did lately (OIDC Core §3.1.2.1).
    isFresh:
      textOf(params, 'prompt').split(' ').includes('login') || textOf(params, 'max_age') !== '',
    client: shownClient(client),
    hint: textOf(params, 'login_hint'),
  };
}

async function showSignIn(
  ctx: PageContext,
  dependencies: InteractionRouteDependencies,
): Promise<void> {
  const found = await findAuthorization(ctx, dependencies);
  if (found.isAnswered) throw alreadyAnswered();
  dependencies.signInPage.show(ctx, viewOf(ctx, found.pending, dependencies));
}

async function signIn(
  ctx: PageContext,
  form: Form,
  dependencies: InteractionRouteDependencies,
): Promise<void> {
  const found = await findAuthorization(ctx, dependencies);
  if (found.isAnswered) {
    const account = await dependencies.findAccount(found.answer.accountId ?? '');
    const email = dependencies.normalizeEmail(singleValue(form, 'email') ?? '');
    if (account?.email !== email) throw alreadyAnswered();
    return resume(ctx, dependencies.issuer);
  }
  // Outside of the transaction, because hashing a password is slow.
  const account = await dependencies.signInPage.submit(
    ctx,
    form,
    viewOf(ctx, found.pending, dependencies),
  );
  if (account !== undefined) await continueAs(ctx, account, dependencies);
}

/** Continues the authorization that the request's path names as an account that has just signed in. */
export async function continueAs(
  ctx: PageContext,
  { id: accountId, passwordMark, amr = ['pwd'] }: SignedInAccount,
  dependencies: InteractionRouteDependencies,
): Promise<void> {
  const { provider, sessions, issuer, transaction, clientAddress } = dependencies;
  await transaction(async () => {
    const found = await findAuthorization(ctx, dependencies, 'lock');
    if (found.isAnswered) {
      if (found.answer.accountId !== accountId) throw alreadyAnswered();
      return resume(ctx, issuer);
    }
    // Read again: another account may have signed in in another tab.
    const session = await provider().Session.get(ctx);
    const isOtherAccount = session.accountId !== undefined && session.accountId !== accountId;
    if (isOtherAccount) {
      // A session of another account is never continued.
      const { requestId } = ctx.state;
      await sessions().signOut(session.jti, { address: clientAddress(ctx.req), requestId });
    }
    const login = { accountId, amr, passwordMark, ts: Math.floor(Date.now() / 1000) };
    await finish(
      ctx,
      found.pending,
      dependencies,
      { login, select_account: {} },
      { forgetsSession: isOtherAccount },
    );
  });
}
