import { FORGOTTEN_PATH, RESET_PATH } from '../../accounts/index.js';
import type { Route } from '../../http/routes.js';
import { seeOther } from '../visitor.js';
import type { MailedDependencies } from './dependencies.js';
import { createLinkCookie, type PublicContext } from './link-cookie.js';
import { createPasswordsOff } from './passwords-off.js';
import { hashingOrBusy, readNewPassword, type TypedPassword } from './new-password.js';

/** `/reset-password`: sets a new password by a link from a mail. */
export function createResetPasswordPages(dependencies: MailedDependencies): Route<'public'>[] {
  const { page, pages, csrf, accounts, clientAddress, issuer, providers } = dependencies;
  if (!providers.passwordSignIn) {
    const show = createPasswordsOff(dependencies);
    return [page('GET', RESET_PATH, show), page('POST', RESET_PATH, show)];
  }
  const cookie = createLinkCookie(RESET_PATH, issuer);
  const showDead = (ctx: PublicContext) =>
    pages.send(
      ctx,
      'dead-link',
      {
        title: 'This link does not work',
        heading: 'This link does not work any more',
        text: 'A link to set a password works once, within one hour. Ask for a new one.',
        next: { text: 'Ask for a new link', href: FORGOTTEN_PATH },
      },
      { status: 410 },
    );
  const show = (ctx: PublicContext, email: string, errors: TypedPassword['errors'] = {}) => {
    const shown = { title: 'Set a new password', email, errors, csrf: csrf.token(ctx) };
    const status = Object.keys(errors).length === 0 ? 200 : 422;
    pages.send(ctx, 'reset-password', shown, { status });
  };
  return [
    page('GET', RESET_PATH, async (ctx) => {
      if (cookie.take(ctx)) return;
      const found = await accounts.passwords.findLink(cookie.read(ctx) ?? '');
      if (found === undefined) showDead(ctx);
      else show(ctx, found.email);
    }),
    page('POST', RESET_PATH, async (ctx, form) => {
      const secret = cookie.read(ctx) ?? '';
      const found = await accounts.passwords.findLink(secret);
      if (found === undefined) return showDead(ctx);
      const { password, errors } = readNewPassword(form);
      if (Object.keys(errors).length > 0) return show(ctx, found.email, errors);
      const request = { address: clientAddress(ctx.req), requestId: ctx.state.requestId };
      const isSet = await hashingOrBusy(accounts.passwords.setByLink(secret, password, request));
      cookie.forget(ctx);
      return isSet ? seeOther(ctx, '/login?done=password') : showDead(ctx);
    }),
  ];
}
