import type { RequestState, RouteContext } from '../http/context.js';
import type { Csrf } from '../http/pages/csrf.js';
import { readForm, singleValue } from '../http/body/form.js';
import type { Route } from '../http/routes.js';
import type { ConsoleSessions, SignInPage } from '../oauth/index.js';
import type { KeptForms } from './kept-form.js';
import { HOME, loginFor, returnPath } from './return-to.js';
import { seeOther } from './visitor.js';

type PageContext = RouteContext<RequestState>;

interface Dependencies {
  readonly csrf: Csrf;
  readonly signInPage: SignInPage;
  readonly sessions: ConsoleSessions;
  readonly keptForms: Pick<KeptForms, 'has'>;
}

const PASSWORD_SET = 'Your new password is set. Sign in with it.';
const ENDED = 'Your session has ended. Sign in again to continue.';
const KEPT = `${ENDED} What you entered is kept.`;

/** `/login` and `/logout`: the browser's session, which the console and authorizations share. */
export function createSignInRoutes({
  csrf,
  signInPage,
  sessions,
  keptForms,
}: Dependencies): Route<'public'>[] {
  const route = (
    method: 'GET' | 'POST',
    path: string,
    handle: (ctx: PageContext) => Promise<void> | void,
  ): Route<'public'> => ({ method, path, access: 'public', handle });

  return [
    route('GET', '/login', async (ctx) => {
      if ((await sessions.find(ctx)) !== undefined) return seeOther(ctx, returnPathOf(ctx) ?? HOME);
      if (singleValue(new URLSearchParams(ctx.querystring), 'done') === 'password') {
        return signInPage.show(ctx, { ...viewOf(ctx), done: PASSWORD_SET });
      }
      const ended = keptForms.has(ctx) ? KEPT : ENDED;
      const notice = (await sessions.hasEnded(ctx)) ? ended : undefined;
      return signInPage.show(ctx, { ...viewOf(ctx), notice });
    }),
    route('POST', '/login', async (ctx) => {
      const form = await readForm(ctx);
      const account = await signInPage.submit(ctx, form, viewOf(ctx));
      if (account === undefined) return;
      await sessions.begin(ctx, account);
      seeOther(ctx, returnPathOf(ctx) ?? HOME);
    }),
    route('POST', '/logout', async (ctx) => {
      csrf.check(ctx, await readForm(ctx));
      await sessions.end(ctx);
      seeOther(ctx, returnPathOf(ctx) ?? '/login');
    }),
  ];
}

function viewOf(ctx: PageContext) {
  const path = returnPathOf(ctx);
  return {
    action: path === undefined ? '/login' : loginFor(path),
    target: { kind: 'console', path } as const,
  };
}

function returnPathOf(ctx: PageContext): string | undefined {
  return returnPath(singleValue(new URLSearchParams(ctx.querystring), 'return_to'));
}
