import { readForm, type Form } from '../http/form.js';
import type { Route } from '../http/routes.js';
import type { SessionStore } from '../sessions/session-store.js';
import { decide, showConsent } from './consent-page.js';
import { shownClient } from './page-data.js';
import { textOf } from './parameters.js';
import {
  findPending,
  finish,
  type InteractionDependencies,
  type PageContext,
  type PendingAuthorization,
} from './pending-authorization.js';
import type { SignedInAccount, SignInPage } from './sign-in-page.js';

interface Dependencies extends InteractionDependencies {
  readonly signInPage: SignInPage;
  readonly sessions: Pick<SessionStore, 'signOut'>;
}

/**
 * The pages on which a user signs in and agrees, while an authorization request waits for both. The cookie that
 * came with the redirect here says which one; its id in the path keeps two tabs apart.
 */
export function createInteractionRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { signInPage, csrf } = dependencies;
  const page = (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: PageContext, pending: PendingAuthorization, form: Form) => Promise<void>,
  ): Route<'public'> => ({
    method,
    path,
    access: 'public',
    async handle(ctx) {
      const form = method === 'POST' ? await readForm(ctx) : new URLSearchParams();
      if (method === 'POST') csrf.check(ctx, form);
      await handle(ctx, await findPending(ctx, dependencies), form);
    },
  });
  const login = async (
    ctx: PageContext,
    pending: PendingAuthorization,
    form: Form,
    isSubmitted: boolean,
  ) => {
    const { interaction, client, uid } = pending;
    const view = {
      action: `/login/${uid}`,
      client: shownClient(client),
      hint: textOf(interaction.params, 'login_hint'),
    };
    const account = isSubmitted
      ? await signInPage.submit(ctx, form, view)
      : signInPage.show(ctx, view);
    if (account !== undefined) await continueAs(ctx, pending, account, dependencies);
  };
  return [
    page('GET', '/login/:uid', (ctx, pending, form) => login(ctx, pending, form, false)),
    page('POST', '/login/:uid', (ctx, pending, form) => login(ctx, pending, form, true)),
    page('GET', '/consent/:uid', (ctx, pending) => showConsent(ctx, pending, dependencies)),
    page('POST', '/consent/:uid', (ctx, pending, form) => decide(ctx, pending, form, dependencies)),
  ];
}

async function continueAs(
  ctx: PageContext,
  { interaction }: PendingAuthorization,
  { id: accountId, passwordMark }: SignedInAccount,
  { provider, sessions, clientAddress }: Dependencies,
): Promise<void> {
  // The session that the browser has now: in another tab somebody may have signed in meanwhile.
  const session = await provider().Session.get(ctx);
  if (session.accountId !== undefined && session.accountId !== accountId) {
    // Somebody else: nothing of the session that was there may pass on to them.
    const { requestId } = ctx.state;
    await sessions.signOut(session.jti, { address: clientAddress(ctx.req), requestId });
    delete interaction.session;
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
  }
  await finish(ctx, provider(), {
    login: { accountId, amr: ['pwd'], passwordMark, ts: Math.floor(Date.now() / 1000) },
    select_account: {},
  });
}
