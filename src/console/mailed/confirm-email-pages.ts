import { CONFIRM_PATH, type Confirmation } from '../../accounts/index.js';
import type { Route } from '../../http/routes.js';
import { loginFor } from '../return-to.js';
import { seeOther } from '../visitor.js';
import type { MailedDependencies } from './dependencies.js';
import { createLinkCookie, type PublicContext } from './link-cookie.js';

const DEAD: Readonly<Record<Exclude<Confirmation, 'confirmed'>, string>> = {
  gone: 'A link to confirm an address works once, within 7 days. Send a new one from your profile.',
  other_account:
    'The link belongs to another account than the one that is signed in here. Sign out, then open the link again.',
  taken: 'Another account has this address by now. Choose another one in your profile.',
};

/** `/confirm-email`: confirms an address of the signed-in account, by a link from a mail. */
export function createConfirmEmailPages({
  page,
  pages,
  csrf,
  accounts,
  people,
  sessions,
  providers,
  clientAddress,
  issuer,
}: MailedDependencies): Route<'public'>[] {
  const cookie = createLinkCookie(CONFIRM_PATH, issuer);
  const showDead = (ctx: PublicContext, reason: keyof typeof DEAD) =>
    pages.send(
      ctx,
      'dead-link',
      {
        title: 'The address is not confirmed',
        heading: 'The address is not confirmed',
        text: DEAD[reason],
        next: { text: 'Your profile', href: '/settings/profile' },
      },
      { status: reason === 'gone' ? 410 : 409 },
    );
  /** The signed-in account. Others are sent to sign in, and back. */
  const findVisitor = async (ctx: PublicContext) => {
    const signedIn = await sessions.find(ctx);
    const account = signedIn && (await people.find(signedIn.accountId));
    if (account === undefined) seeOther(ctx, loginFor(CONFIRM_PATH));
    return account;
  };
  return [
    page('GET', CONFIRM_PATH, async (ctx) => {
      if (cookie.take(ctx)) return;
      const account = await findVisitor(ctx);
      if (account === undefined) return;
      const found = await accounts.profile.findLink(cookie.read(ctx) ?? '');
      if (found === undefined) return showDead(ctx, 'gone');
      if (found.accountId !== account.id) return showDead(ctx, 'other_account');
      return pages.send(ctx, 'confirm-email', {
        title: 'Confirm your address',
        csrf: csrf.token(ctx),
        email: found.email,
        account: account.email,
        hasPasswords: providers.passwordSignIn,
      });
    }),
    page('POST', CONFIRM_PATH, async (ctx) => {
      const account = await findVisitor(ctx);
      if (account === undefined) return;
      const { requestId } = ctx.state;
      const actor = { id: account.id, address: clientAddress(ctx.req), requestId };
      const result = await accounts.profile.confirm(cookie.read(ctx) ?? '', account.id, actor);
      if (result !== 'confirmed') return showDead(ctx, result);
      cookie.forget(ctx);
      return seeOther(ctx, '/settings/profile?done=email');
    }),
  ];
}
