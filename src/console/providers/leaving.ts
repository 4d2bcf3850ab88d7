import type { ProviderProblem, SignInProviders } from '../../sign-in-providers/index.js';
import type { SettingsContext } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';

type Begin = SignInProviders['begin'];

/**
 * Sends the browser from a settings page to a provider. A page leads there, and not a redirect: the policy of these pages
 * has `form-action 'self'`, which Chromium applies to every redirect that follows a form.
 *
 * @returns the reason why that is not possible; otherwise the request has been answered
 */
export type LeaveForProvider = (
  ctx: SettingsContext,
  provider: string,
  options: Parameters<Begin>[2],
) => Promise<{ readonly text: string; readonly status: number } | undefined>;

interface Dependencies {
  readonly providers: Pick<SignInProviders, 'begin' | 'buttons' | 'problemIn'>;
  readonly showPage: ShowPage;
}

export function createLeaveForProvider({ providers, showPage }: Dependencies): LeaveForProvider {
  return async (ctx, provider, options) => {
    const beginning = await providers.begin(ctx, provider, options);
    if ('problem' in beginning) {
      const { problem, retryAfterSeconds } = beginning;
      if (retryAfterSeconds !== undefined) ctx.set('Retry-After', String(retryAfterSeconds));
      return shown(providers, provider, problem);
    }
    const { url } = beginning;
    const name = providers.buttons.find(({ id }) => id === provider)?.name ?? provider;
    // HTML Standard §7.4.4: works without scripts.
    ctx.set('Refresh', `0; url=${url}`);
    showPage(ctx, 'to-provider', { title: `Continue at ${name}`, name, url });
    return undefined;
  };
}

function shown(
  { problemIn }: Dependencies['providers'],
  provider: string,
  problem: ProviderProblem,
) {
  const inWords = problemIn(new URLSearchParams({ provider, problem }));
  return inWords ?? { text: 'That way to sign in is not offered any more.', status: 404 };
}
