import { createAccountStore, type InvitationFault, type Inviter } from '../../accounts/index.js';
import { Problem } from '../../http/errors/problem.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { MemberPageDependencies } from './dependencies.js';
import { createShowMembers } from './list-pages.js';
import { BY_ADMINISTRATORS, INVITE, MEMBERS, RESEND, WITHDRAW } from './paths.js';
import { readRole, roleChoices } from './role-choices.js';
import type { InvitePage } from './views.js';

const MAX_TYPED = 10_000;

/** The form for invitations, and what is done with a pending one. */
export function createInvitePages(dependencies: MemberPageDependencies): SettingsRoute[] {
  const { dataSource, accounts, mail, showPage } = dependencies;
  const showMembers = createShowMembers(dependencies);
  const inviterOf = async (at: OrganizationContext): Promise<Inviter> => {
    const account = await createAccountStore(dataSource.manager).find(at.accountId);
    return { ...at, name: account?.name ?? account?.email ?? at.tenantName };
  };
  const show = (
    ctx: SettingsContext,
    at: OrganizationContext,
    typed: Partial<Pick<InvitePage, 'emails' | 'errors'>> & { readonly role?: string | null } = {},
    status = 200,
  ) => {
    const { emails = '', errors = {}, role = 'member' } = typed;
    showPage(
      ctx,
      'invite',
      {
        title: 'Invite members',
        action: at.href(INVITE),
        back: at.href(MEMBERS),
        emails,
        roles: roleChoices(readRole(role)),
        isMailSent: mail.isSent,
        errors,
      },
      { status },
    );
  };

  const invite = async (ctx: SettingsContext, at: OrganizationContext) => {
    const { form } = ctx.state;
    const typed = {
      emails: (form.get('emails') ?? '').slice(0, MAX_TYPED),
      role: form.get('role'),
    };
    const role = readRole(typed.role);
    if (role === undefined) {
      return show(ctx, at, { ...typed, errors: { role: 'Choose a role.' } }, 422);
    }
    const emails = typed.emails.split(/[\s,;]+/).filter((email) => email !== '');
    try {
      const result = await accounts.invitations.invite(await inviterOf(at), emails, role);
      if ('faults' in result) {
        const errors = { emails: result.faults.map(describeFault).join(' ') };
        return show(ctx, at, { ...typed, errors }, 422);
      }
      if (mail.isSent) return seeOther(ctx, at.href(MEMBERS, { done: 'invited' }));
      // The links are not stored, so this answer is the only one that shows them.
      return await showMembers(ctx, at, result.sent);
    } catch (error) {
      if (!(error instanceof Problem) || !['conflict', 'rate_limited'].includes(error.code))
        throw error;
      ctx.set(error.headers);
      return show(ctx, at, { ...typed, errors: { form: error.message } }, error.status);
    }
  };

  const resend = async (ctx: SettingsContext, at: OrganizationContext) => {
    const sent = await accounts.invitations.resend(await inviterOf(at), ctx.params['id'] ?? '');
    if (mail.isSent) return seeOther(ctx, at.href(MEMBERS, { done: 'resent' }));
    return showMembers(ctx, at, [sent]);
  };

  const withdraw = async (ctx: SettingsContext, at: OrganizationContext) => {
    await accounts.invitations.withdraw(await inviterOf(at), ctx.params['id'] ?? '');
    seeOther(ctx, at.href(MEMBERS, { done: 'withdrawn' }));
  };

  return [
    {
      method: 'GET',
      path: INVITE,
      access: BY_ADMINISTRATORS,
      handle: (ctx) => show(ctx, ctx.state.organization),
    },
    ...[
      { path: INVITE, work: invite },
      { path: RESEND, work: resend },
      { path: WITHDRAW, work: withdraw },
    ].map(({ path, work }): SettingsRoute => ({
      method: 'POST',
      path,
      access: BY_ADMINISTRATORS,
      handle: (ctx) => work(ctx, ctx.state.organization),
    })),
  ];
}

function describeFault({ email, fault }: InvitationFault): string {
  return email === '' ? fault : `${email} ${fault}.`;
}
