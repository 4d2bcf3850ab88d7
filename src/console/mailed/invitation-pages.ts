import { type FoundInvitation, INVITATION_PATH, type NotAccepted } from '../../accounts/index.js';
import type { Form } from '../../http/body/form.js';
import type { Route } from '../../http/routes.js';
import { text } from '../../http/validation.js';
import { titleOf } from '../../scopes/roles.js';
import { HOME, loginFor } from '../return-to.js';
import { seeOther } from '../visitor.js';
import type { MailedDependencies } from './dependencies.js';
import { createLinkCookie, type PublicContext } from './link-cookie.js';
import { hashingOrBusy, readNewPassword } from './new-password.js';
import type { InvitationPage } from './views.js';

const personName = text(100);

const DEAD: Readonly<Record<'gone' | 'suspended', string>> = {
  gone: 'An invitation works once, within 7 days, and may be withdrawn. Ask for a new one.',
  suspended: 'The organization is suspended. The operator of this server knows why.',
};

/** `/invitation`: joins an organization by a link from a mail. */
export function createInvitationPages(dependencies: MailedDependencies): Route<'public'>[] {
  const { page, accounts, issuer } = dependencies;
  const cookie = createLinkCookie(INVITATION_PATH, issuer);
  const answers = createAnswers(dependencies);
  const createAccount = createNewAccount(dependencies, cookie, answers);
  const join = createJoin(dependencies, cookie, answers);
  return [
    page('GET', INVITATION_PATH, async (ctx) => {
      if (cookie.take(ctx)) return;
      const invitation = await accounts.acceptance.find(cookie.read(ctx) ?? '');
      if (invitation === undefined) answers.showDead(ctx, 'gone');
      else if (invitation.isTenantSuspended) answers.showDead(ctx, 'suspended');
      else await answers.show(ctx, invitation);
    }),
    page('POST', INVITATION_PATH, async (ctx, form) => {
      const invitation = await accounts.acceptance.find(cookie.read(ctx) ?? '');
      // Another link may have been opened in another tab: the page that was seen counts.
      if (invitation === undefined || invitation.id !== form.get('id'))
        return answers.showDead(ctx, 'gone');
      if (invitation.hasAccount) return join(ctx, invitation);
      // Without passwords the account is created by a provider.
      if (!dependencies.providers.passwordSignIn) return seeOther(ctx, loginFor(INVITATION_PATH));
      return createAccount(ctx, invitation, form);
    }),
  ];
}

type LinkCookie = ReturnType<typeof createLinkCookie>;
type Answers = ReturnType<typeof createAnswers>;
type Typed = Pick<InvitationPage, 'name' | 'errors'>;

function createAnswers({ pages, csrf, people, sessions, providers }: MailedDependencies) {
  const showDead = (ctx: PublicContext, reason: keyof typeof DEAD) =>
    pages.send(
      ctx,
      'dead-link',
      {
        title: 'The invitation cannot be accepted',
        heading: 'The invitation cannot be accepted',
        text: DEAD[reason],
        next: { text: 'Go to your settings', href: HOME },
      },
      { status: reason === 'gone' ? 410 : 403 },
    );
  /** The account that is signed in to the browser. */
  const findVisitor = async (ctx: PublicContext) => {
    const signedIn = await sessions.find(ctx);
    return signedIn && people.find(signedIn.accountId);
  };
  const show = async (
    ctx: PublicContext,
    invitation: FoundInvitation,
    typed: Typed = { name: '', errors: {} },
  ) => {
    const visitor = await findVisitor(ctx);
    const { id, tenantName, inviter, role, email } = invitation;
    const shown: InvitationPage = {
      ...typed,
      id,
      tenantName,
      inviter,
      email,
      role: titleOf(role),
      csrf: csrf.token(ctx),
      step: stepOf(invitation, visitor?.email, providers.passwordSignIn),
      signedInAs: visitor?.email,
    };
    const status = Object.keys(typed.errors).length === 0 ? 200 : 422;
    pages.send(ctx, 'invitation', { title: `Join ${tenantName}`, ...shown }, { status });
  };
  const refuse = (ctx: PublicContext, invitation: FoundInvitation, reason: NotAccepted) => {
    if (reason === 'gone' || reason === 'suspended') return showDead(ctx, reason);
    // The page says what to do instead.
    return show(ctx, {
      ...invitation,
      hasAccount: reason === 'has_account' || invitation.hasAccount,
    });
  };
  return { findVisitor, show, showDead, refuse };
}

/** Joins with an account that is made for the invited address, and signs in. */
function createNewAccount(
  { accounts, sessions, clientAddress }: MailedDependencies,
  cookie: LinkCookie,
  { show, refuse }: Answers,
) {
  return async (ctx: PublicContext, invitation: FoundInvitation, form: Form) => {
    const typedName = form.get('name') ?? '';
    const name = personName.safeParse(typedName).data;
    const { password, errors } = readNewPassword(form);
    const all = { ...(name === undefined && { name: 'Enter your name.' }), ...errors };
    if (name === undefined || Object.keys(all).length > 0) {
      return show(ctx, invitation, { name: typedName.slice(0, 200), errors: all });
    }
    const request = { address: clientAddress(ctx.req), requestId: ctx.state.requestId };
    const secret = cookie.read(ctx) ?? '';
    const result = await hashingOrBusy(
      accounts.acceptance.acceptAsNew(secret, { name, password }, request),
    );
    if (typeof result === 'string') return refuse(ctx, invitation, result);
    cookie.forget(ctx);
    await sessions.begin(ctx, result.account);
    return seeOther(ctx, HOME);
  };
}

/** Joins with the account that is signed in. */
function createJoin(
  { accounts, clientAddress }: MailedDependencies,
  cookie: LinkCookie,
  { findVisitor, refuse }: Answers,
) {
  return async (ctx: PublicContext, invitation: FoundInvitation) => {
    const visitor = await findVisitor(ctx);
    if (visitor === undefined) return seeOther(ctx, loginFor(INVITATION_PATH));
    const { requestId } = ctx.state;
    const actor = { id: visitor.id, address: clientAddress(ctx.req), requestId };
    const result = await accounts.acceptance.acceptAs(cookie.read(ctx) ?? '', visitor, actor);
    if (result !== 'accepted') return refuse(ctx, invitation, result);
    cookie.forget(ctx);
    return seeOther(ctx, HOME);
  };
}

function stepOf(
  { email, hasAccount }: FoundInvitation,
  signedInAs: string | undefined,
  hasPasswords: boolean,
): InvitationPage['step'] {
  if (signedInAs === email) return 'join';
  if (signedInAs !== undefined) return 'other';
  if (hasAccount) return 'sign_in';
  return hasPasswords ? 'create' : 'provider';
}
