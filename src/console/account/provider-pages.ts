import { singleValue } from '../../http/body/form.js';
import { createLeaveForProvider } from '../providers/leaving.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { AccountPageDependencies } from './dependencies.js';
import { LINK_PROVIDER, PROFILE, UNLINK_PROVIDER } from './paths.js';
import type { ProfileView, Typed } from './profile-view.js';

const NOT_OFFERED = { status: 404, text: 'That way to sign in is not offered any more.' };
const ONLY_WAY = {
  status: 409,
  text: 'You could not sign in without it. Connect another provider first, or set a password with “Forgot password?” on the login page.',
};

/** The forms of the profile that connect and disconnect sign-in providers. Both ask the user to confirm their presence. */
export function createProviderPages(
  dependencies: AccountPageDependencies,
  view: ProfileView,
): SettingsRoute[] {
  const access = { page: PROFILE } as const;
  const { confirmationGate } = dependencies;
  const forms = [
    { path: LINK_PROVIDER, change: createLink(dependencies, view) },
    { path: UNLINK_PROVIDER, change: createUnlink(dependencies, view) },
  ];
  return forms.flatMap(({ path, change }): SettingsRoute[] => [
    {
      method: 'POST',
      path,
      access,
      async handle(ctx) {
        if (await confirmationGate.pass(ctx)) await change(ctx);
      },
    },
    // The forms have no pages of their own.
    {
      method: 'GET',
      path,
      access,
      handle: (ctx) => seeOther(ctx, ctx.state.personal.href(PROFILE)),
    },
  ]);
}

function createLink(dependencies: AccountPageDependencies, view: ProfileView) {
  const leaveForProvider = createLeaveForProvider(dependencies);
  return async (ctx: SettingsContext): Promise<void> => {
    const { form, personal, visitor } = ctx.state;
    const { accountId, sessionId } = visitor;
    const provider = singleValue(form, 'provider') ?? '';
    const problem = dependencies.providers.isKnown(provider)
      ? await leaveForProvider(ctx, provider, {
          target: { kind: 'link', accountId, sessionId, path: personal.href(PROFILE) },
          hint: visitor.email,
        })
      : NOT_OFFERED;
    if (problem !== undefined) await view.show(ctx, personal, shown(problem));
  };
}

function createUnlink({ providers }: AccountPageDependencies, view: ProfileView) {
  return async (ctx: SettingsContext): Promise<void> => {
    const { form, personal } = ctx.state;
    const { accountId, sessionId, actor } = personal;
    const issuer = singleValue(form, 'issuer') ?? '';
    const outcome = await providers.unlink({ accountId, sessionId, issuer, actor });
    if (outcome === 'only_way') return view.show(ctx, personal, shown(ONLY_WAY));
    // Somebody may have pressed the button twice.
    return seeOther(ctx, personal.href(PROFILE, { done: 'unlinked' }));
  };
}

function shown({ status, text }: { readonly status: number; readonly text: string }): Typed {
  return { status, problem: text };
}
