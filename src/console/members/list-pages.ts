import type { PendingInvitation, SentInvitation } from '../../accounts/index.js';
import { isId } from '../../db/id.js';
import { singleValue } from '../../http/body/form.js';
import { ago, day } from '../moments.js';
import { isAdministrator, isOverseer, titleOf } from '../../scopes/roles.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { MemberPageDependencies } from './dependencies.js';
import { listMembers, type ListedMember } from './member-list.js';
import { INVITE, MEMBER, MEMBERS, RESEND, WITHDRAW } from './paths.js';
import type { ShownLink } from './views.js';

const MAX_SEARCH = 100;

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['role', 'The role is changed. It holds from the next request on.'],
  ['removed', 'The member is removed.'],
  ['invited', 'The invitations are on their way.'],
  ['resent', 'The invitation is sent again. The former link does not work any more.'],
  ['withdrawn', 'The invitation is withdrawn. Its link does not work any more.'],
]);

/**
 * Shows the list.
 * @param sent invitations whose links are to be shown, once
 * @param conflict says what somebody else has changed meanwhile
 */
export type ShowMembers = (
  ctx: SettingsContext,
  at: OrganizationContext,
  sent?: readonly SentInvitation[],
  conflict?: string,
) => Promise<void>;

export function createShowMembers({
  dataSource,
  accounts,
  mail,
  showPage,
}: MemberPageDependencies): ShowMembers {
  return async (ctx, at, sent = [], conflict) => {
    const query = new URLSearchParams(ctx.querystring);
    const search = (singleValue(query, 'q') ?? '').slice(0, MAX_SEARCH).replaceAll('\0', '');
    const after = singleValue(query, 'after');
    const administers = isAdministrator(at.role);
    const page = await listMembers(dataSource.manager, at.tenantId, {
      search,
      isNameOnly: !isOverseer(at.role),
      after: after !== undefined && isId('usr', after) ? after : undefined,
    });
    const filter = search === '' ? undefined : { q: search };
    const links = sent.flatMap(({ email, link }): readonly ShownLink[] =>
      link === undefined ? [] : [{ email, link }],
    );
    const shown = {
      title: 'Members',
      conflict,
      all: search === '' ? undefined : at.href(MEMBERS),
      notice: NOTICES.get(singleValue(query, 'done') ?? ''),
      links,
      action: MEMBERS,
      search,
      hidden: [
        { name: 'tenant', value: at.tenantSlug },
        { name: 'env', value: at.environment },
      ],
      members: page.members.map((member) => showMember(at, member)),
      isDetailed: isOverseer(at.role),
      count: countOf(page.members.length, after === undefined && page.next === undefined),
      first: after === undefined ? undefined : at.href(MEMBERS, filter),
      next: page.next === undefined ? undefined : at.href(MEMBERS, { ...filter, after: page.next }),
      invite: administers && !at.isSuspended ? at.href(INVITE) : undefined,
      invitations: administers
        ? (await accounts.invitations.list(at.tenantId)).map((one) => showInvitation(at, one))
        : undefined,
      isMailSent: mail.isSent,
    };
    showPage(ctx, 'members', shown, { status: conflict === undefined ? 200 : 409 });
  };
}

function countOf(count: number, isAll: boolean): string {
  const members = count === 1 ? '1 member' : `${count} members`;
  return isAll ? members : `${members} on this page`;
}

export function createMemberListPages(dependencies: MemberPageDependencies): SettingsRoute[] {
  const show = createShowMembers(dependencies);
  return [
    {
      method: 'GET',
      path: MEMBERS,
      access: { page: MEMBERS },
      handle: (ctx) => show(ctx, ctx.state.organization),
    },
  ];
}

function showMember(at: OrganizationContext, member: ListedMember) {
  const { id, name, email, role, lastSignInAt, tokens, apps } = member;
  return {
    name,
    email,
    role: titleOf(role),
    lastSignIn: lastSignInAt === null ? undefined : ago(lastSignInAt),
    tokens,
    apps,
    isVisitor: id === at.accountId,
    href: isAdministrator(at.role) ? at.href(MEMBER.replace(':id', id)) : undefined,
  };
}

function showInvitation(at: OrganizationContext, invitation: PendingInvitation) {
  const { id, email, role, expiresAt, isExpired } = invitation;
  return {
    email,
    role: titleOf(role),
    expires: day(expiresAt),
    isExpired,
    resend: at.href(RESEND.replace(':id', id)),
    withdraw: at.href(WITHDRAW.replace(':id', id)),
  };
}
