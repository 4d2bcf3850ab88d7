import { createAccountStore, type InvitationFault, type Inviter } from '../../accounts/index.js';
import type { Form } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { MemberPageDependencies } from './dependencies.js';
import { createShowMembers, type ShowMembers } from './list-pages.js';
import { BY_ADMINISTRATORS, INVITE, MEMBERS, RESEND, WITHDRAW } from './paths.js';
import { readRole, roleChoices } from './role-choices.js';
import type { InvitePage } from './views.js';

const MAX_TYPED = 10_000;
const GONE = 'Somebody else has withdrawn the invitation, or it was accepted. Nothing was changed.';

/** The form for invitations, and what is done with a pending one. */
export function createInvitePages(dependencies: MemberPageDependencies): SettingsRoute[] {
  const { accounts, mail } = dependencies;
  const showMembers = createShowMembers(dependencies);
  const show = createShowForm(dependencies);
  const inviterOf = createInviter(dependencies);
  const change = createChange(inviterOf, showMembers);

  const invite = async (ctx: SettingsContext, at: OrganizationContext) => {
    const typed = readTyped(ctx.state.form);
    const role = readRole(typed.role);
    if (role === undefined) {
      return show(ctx, at, { ...typed, errors: { role: 'Choose a role.' } }, 422);
    }
    const emails = typed.emails.split(/[\s,;]+/).filter((email) => email !== '');
    try {
      const result = await accounts.invitations.invite(await inviterOf(at), emails, role);
      if ('faults' in result) {
        const errors = { emails: result.faults.map(describeFault).join('\n') };
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
    const sent = await change(ctx, at, (by, id) => accounts.invitations.resend(by, id));
    if (sent === undefined) return undefined;
    if (mail.isSent) return seeOther(ctx, at.href(MEMBERS, { done: 'resent' }));
    return showMembers(ctx, at, [sent]);
  };

  const withdraw = async (ctx: SettingsContext, at: OrganizationContext) => {
    const work = async (by: Inviter, id: string) => {
      await accounts.invitations.withdraw(by, id);
      return 'withdrawn';
    };
    if ((await change(ctx, at, work)) === undefined) return;
    seeOther(ctx, at.href(MEMBERS, { done: 'withdrawn' }));
  };

  return [
    route('GET', INVITE, (ctx, at) => show(ctx, at)),
    {
      ...route('POST', INVITE, invite),
      restore: (ctx) => show(ctx, ctx.state.organization, readTyped(ctx.state.form)),
    },
    route('POST', RESEND, resend),
    route('POST', WITHDRAW, withdraw),
  ];
}

type InviterOf = (at: OrganizationContext) => Promise<Inviter>;

function createInviter({ dataSource }: MemberPageDependencies): InviterOf {
  return async (at) => {
    const account = await createAccountStore(dataSource.manager).find(at.accountId);
    return { ...at, name: account?.name ?? account?.email ?? at.tenantName };
  };
}

/** Changes the invitation of the address. If it is gone, shows the list and returns `undefined`. */
function createChange(inviterOf: InviterOf, showMembers: ShowMembers) {
  return async <Result>(
    ctx: SettingsContext,
    at: OrganizationContext,
    work: (by: Inviter, id: string) => Promise<Result>,
  ): Promise<Result | undefined> => {
    try {
      return await work(await inviterOf(at), ctx.params['id'] ?? '');
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'not_found') throw error;
      await showMembers(ctx, at, [], GONE);
      return undefined;
    }
  };
}

function route(
  method: 'GET' | 'POST',
  path: string,
  work: (ctx: SettingsContext, at: OrganizationContext) => Promise<void> | void,
): SettingsRoute {
  return {
    method,
    path,
    access: BY_ADMINISTRATORS,
    handle: (ctx) => work(ctx, ctx.state.organization),
  };
}

/** Values typed into the form, and their faults. */
interface Typed {
  readonly emails?: string;
  readonly role?: string | null;
  readonly errors?: InvitePage['errors'];
}

function readTyped(form: Form) {
  return { emails: (form.get('emails') ?? '').slice(0, MAX_TYPED), role: form.get('role') };
}

function createShowForm({ mail, showPage }: MemberPageDependencies) {
  return (ctx: SettingsContext, at: OrganizationContext, typed: Typed = {}, status = 200) => {
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
}

function describeFault({ email, fault }: InvitationFault): string {
  return email === '' ? fault : `“${email}” ${fault}.`;
}
