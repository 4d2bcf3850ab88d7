import { FORGOTTEN_PATH } from '../../accounts/index.js';
import { emailAddress } from '../../http/email-address.js';
import type { Route } from '../../http/routes.js';
import type { MailedDependencies } from './dependencies.js';
import type { PublicContext } from './link-cookie.js';
import { createPasswordsOff } from './passwords-off.js';
import type { ForgotPasswordPage } from './views.js';

const TITLE = 'Forgot your password?';

/**
 * `/forgot-password`: asks for a link. The answer is the same whether an account has the address or not. A server that
 * sends no mail shows who can help instead, and keeps nothing.
 */
export function createForgotPasswordPages(dependencies: MailedDependencies): Route<'public'>[] {
  const { page, pages, csrf, accounts, mail, clientAddress, providers } = dependencies;
  if (!providers.passwordSignIn) {
    const show = createPasswordsOff(dependencies);
    return [page('GET', FORGOTTEN_PATH, show), page('POST', FORGOTTEN_PATH, show)];
  }
  if (!mail.isSent) {
    const show = (ctx: PublicContext) =>
      pages.send(ctx, 'forgot-password-unsent', { title: TITLE });
    return [page('GET', FORGOTTEN_PATH, show), page('POST', FORGOTTEN_PATH, show)];
  }
  const show = (
    ctx: PublicContext,
    view: Partial<Pick<ForgotPasswordPage, 'email' | 'error' | 'isSent'>> = {},
    status = 200,
  ) => {
    const { email = '', error, isSent = false } = view;
    const shown = { email, error, isSent, csrf: csrf.token(ctx) };
    pages.send(ctx, 'forgot-password', { title: TITLE, ...shown }, { status });
  };
  return [
    page('GET', FORGOTTEN_PATH, (ctx) => show(ctx)),
    page('POST', FORGOTTEN_PATH, async (ctx, form) => {
      const typed = form.get('email') ?? '';
      const email = emailAddress.safeParse(typed).data;
      if (email === undefined) {
        return show(ctx, { email: typed.slice(0, 300), error: 'Enter an email address.' }, 422);
      }
      const verdict = await accounts.passwords.requestLink(email, clientAddress(ctx.req));
      if (verdict.isAllowed) return show(ctx, { email, isSent: true });
      ctx.set('Retry-After', String(verdict.retryAfterSeconds));
      return show(ctx, { email, error: 'Too many requests. Try again in an hour.' }, 429);
    }),
  ];
}
