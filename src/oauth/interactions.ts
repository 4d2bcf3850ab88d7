import { readForm, singleValue, type Form } from '../http/form.js';
import type { Route } from '../http/routes.js';
import type { SessionStore } from '../sessions/session-store.js';
import { decide, showConsent } from './consent-page.js';
import { shownClient } from './page-data.js';
import { textOf } from './parameters.js';
import {
  alreadyAnswered,
  findAuthorization,
  finish,
  resume,
  type InteractionDependencies,
  type PageContext,
  type PendingAuthorization,
} from './pending-authorization.js';
import type { SignedInAccount, SignInPage } from './sign-in-page.js';

interface Dependencies extends InteractionDependencies {
  readonly signInPage: SignInPage;
  readonly sessions: () => Pick<SessionStore, 'signOut'>;
  readonly normalizeEmail: (email: string) => string;
}

type Handle = (ctx: PageContext, form: Form) => Promise<void>;

/**
 * The pages on which a user signs in and agrees, while an authorization request waits for both. The path names the
 * request; each page and form is for the browser that began it.
 *
 * A form that is sent again, at once or later, is answered as the first one was.
 */
export function createInteractionRoutes(dependencies: Dependencies): Route<'public'>[] {
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
      // Under the interaction's lock: of "Allow" and "Cancel" the first counts, with everything that it brings about.
      dependencies.transaction(async () => {
        const found = await findAuthorization(ctx, dependencies, 'lock');
        // Looked at again, as with the browser's Back button, it must not send the same code again.
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

function viewOf({ uid, interaction, client }: PendingAuthorization) {
  return {
    action: `/login/${uid}`,
    client: shownClient(client),
    hint: textOf(interaction.params, 'login_hint'),
  };
}

async function showSignIn(ctx: PageContext, dependencies: Dependencies): Promise<void> {
  const found = await findAuthorization(ctx, dependencies);
  if (found.isAnswered) throw alreadyAnswered();
  dependencies.signInPage.show(ctx, viewOf(found.pending));
}

async function signIn(ctx: PageContext, form: Form, dependencies: Dependencies): Promise<void> {
  const found = await findAuthorization(ctx, dependencies);
  if (found.isAnswered) {
    const account = await dependencies.findAccount(found.answer.accountId ?? '');
    const email = dependencies.normalizeEmail(singleValue(form, 'email') ?? '');
    if (account?.email !== email) throw alreadyAnswered();
    return resume(ctx, dependencies.issuer);
  }
  // Outside of the transaction: checking a password takes long.
  const account = await dependencies.signInPage.submit(ctx, form, viewOf(found.pending));
  if (account !== undefined) await continueAs(ctx, account, dependencies);
}

async function continueAs(
  ctx: PageContext,
  { id: accountId, passwordMark }: SignedInAccount,
  dependencies: Dependencies,
): Promise<void> {
  const { provider, sessions, issuer, transaction, clientAddress } = dependencies;
  await transaction(async () => {
    const found = await findAuthorization(ctx, dependencies, 'lock');
    if (found.isAnswered) {
      if (found.answer.accountId !== accountId) throw alreadyAnswered();
      return resume(ctx, issuer);
    }
    // The session that the browser has now: in another tab somebody may have signed in meanwhile.
    const session = await provider().Session.get(ctx);
    const isOfAnother = session.accountId !== undefined && session.accountId !== accountId;
    if (isOfAnother) {
      // Nothing of the session that was there may pass on to somebody else.
      const { requestId } = ctx.state;
      await sessions().signOut(session.jti, { address: clientAddress(ctx.req), requestId });
    }
    const login = { accountId, amr: ['pwd'], passwordMark, ts: Math.floor(Date.now() / 1000) };
    await finish(
      ctx,
      found.pending,
      dependencies,
      { login, select_account: {} },
      { forgetsSession: isOfAnother },
    );
  });
}
