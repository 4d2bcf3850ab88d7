import type { Route } from '../../http/routes.js';
import type { ConsoleSessions, ContinueAuthorization } from '../../oauth/index.js';
import {
  type AttemptTarget,
  callbackPath,
  type Completion,
  type SignInProviders,
} from '../../sign-in-providers/index.js';
import { HOME, loginFor, returnPath } from '../return-to.js';
import { seeOther } from '../visitor.js';

/** The page that lists the providers of the visitor's account. */
const PROFILE = '/settings/profile';

interface Dependencies {
  readonly providers: SignInProviders;
  readonly sessions: ConsoleSessions;
  readonly continueAuthorization: ContinueAuthorization;
}

/**
 * `/login/providers/:id/callback`: the answer of a provider. Each outcome is a redirect, so that the code and the state
 * are in no page’s address.
 */
export function createProviderRoutes({
  providers,
  sessions,
  continueAuthorization,
}: Dependencies): Route<'public'>[] {
  return [
    {
      method: 'GET',
      path: callbackPath(':id'),
      access: 'public',
      async handle(ctx) {
        const provider = String(ctx.params['id']);
        ctx.set('Cache-Control', 'no-store');
        ctx.set('Referrer-Policy', 'no-referrer');
        const signedIn = await sessions.find(ctx);
        const completion = await providers.complete(ctx, provider, signedIn);
        if ('problem' in completion) {
          return seeOther(ctx, pageOfProblem(completion, provider, signedIn !== undefined));
        }
        const { account, attempt } = completion;
        const { target } = attempt;
        if (target.kind === 'authorization') {
          return continueAuthorization(ctx, target.uid, account);
        }
        if (target.kind === 'link')
          return seeOther(ctx, withQuery(target.path, { done: 'linked' }));
        await sessions.begin(ctx, account);
        return seeOther(ctx, returnPath(target.path) ?? HOME);
      },
    },
  ];
}

/** The page on which the sign-in began, with the problem in its address. */
function pageOfProblem(
  { attempt, problem }: Extract<Completion, { readonly problem: unknown }>,
  provider: string,
  isSignedIn: boolean,
): string {
  return withQuery(pageOf(attempt?.target, isSignedIn), { provider, problem });
}

function withQuery(page: string, members: Readonly<Record<string, string>>): string {
  return `${page}${page.includes('?') ? '&' : '?'}${new URLSearchParams(members).toString()}`;
}

function pageOf(target: AttemptTarget | undefined, isSignedIn: boolean): string {
  if (target?.kind === 'authorization') return `/login/${target.uid}`;
  if (target?.kind === 'link' || target?.kind === 'confirm') return target.path;
  // The login page sends a signed-in browser on, without a word.
  if (isSignedIn) return PROFILE;
  return target?.path === undefined ? '/login' : loginFor(target.path);
}
