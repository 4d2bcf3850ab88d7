import { LAST_ADMINISTRATOR } from '../../accounts/index.js';
import { isId } from '../../db/id.js';
import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import type { Role } from '../../scopes/roles.js';
import { titleOf } from '../../scopes/roles.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { MemberPageDependencies } from './dependencies.js';
import { describeCut, endsOf } from './member-ends.js';
import { findMember, type ListedMember } from './member-list.js';
import { BY_ADMINISTRATORS, MEMBER, MEMBERS, REMOVE } from './paths.js';
import { readRole, roleChoices } from './role-choices.js';

const LONGEST_EMAIL = 320;

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['role', 'The role is changed. It holds from the next request on.'],
  ['same', 'The member had this role already. Nothing was changed.'],
]);

/** Content of a submitted form, and the answer to it. */
interface Typed {
  readonly status: number;
  readonly role?: Role;
  readonly cut?: string | undefined;
  readonly roleError?: string;
  readonly email?: string;
  readonly removeError?: string;
}

/** The page of a member, for administrators: changes the role, or removes the member. */
export function createMemberPages(dependencies: MemberPageDependencies): SettingsRoute[] {
  const page = createMemberPage(dependencies);
  const changeRole = createRoleChange(dependencies, page);
  const remove = createRemoval(dependencies, page);
  return [
    {
      method: 'GET',
      path: MEMBER,
      access: BY_ADMINISTRATORS,
      async handle(ctx) {
        const at = ctx.state.organization;
        await page.show(ctx, at, await page.find(ctx, at));
      },
    },
    {
      method: 'POST',
      path: MEMBER,
      access: BY_ADMINISTRATORS,
      handle: (ctx) => changeRole(ctx, ctx.state.organization),
    },
    {
      method: 'POST',
      path: REMOVE,
      access: BY_ADMINISTRATORS,
      handle: (ctx) => remove(ctx, ctx.state.organization),
    },
  ];
}

interface MemberPage {
  /** The member of the address. @throws Problem `not_found` */
  find(ctx: SettingsContext, at: OrganizationContext): Promise<ListedMember>;
  show(
    ctx: SettingsContext,
    at: OrganizationContext,
    member: ListedMember,
    typed?: Typed,
  ): Promise<void>;
}

function createMemberPage({ dataSource, accounts, showPage }: MemberPageDependencies): MemberPage {
  const { manager } = dataSource;
  return {
    async find(ctx, at) {
      const id = ctx.params['id'] ?? '';
      const member = isId('usr', id) ? await findMember(manager, at.tenantId, id) : undefined;
      if (member === undefined) throw new Problem('not_found', 'Member not found.');
      return member;
    },
    async show(ctx, at, { id, name, email, role }, typed = { status: 200 }) {
      const done = singleValue(new URLSearchParams(ctx.querystring), 'done') ?? '';
      const member = { tenantId: at.tenantId, accountId: id, role };
      const isLast = await accounts.membershipsIn(manager).isLastAdministrator(member);
      showPage(
        ctx,
        'member',
        {
          title: name ?? email,
          back: at.href(MEMBERS),
          name,
          email,
          role: titleOf(role),
          isVisitor: id === at.accountId,
          notice: NOTICES.get(done),
          canChange: !at.isSuspended && !isLast,
          // The layout says already that the organization is suspended.
          obstacle: isLast && !at.isSuspended ? LAST_ADMINISTRATOR : undefined,
          change: {
            action: at.href(MEMBER.replace(':id', id)),
            seen: role,
            roles: roleChoices(typed.role ?? role),
            cut: typed.cut,
            error: typed.roleError,
          },
          remove: {
            action: at.href(REMOVE.replace(':id', id)),
            ends: await endsOf(manager, at.tenantId, id),
            typed: typed.email ?? '',
            error: typed.removeError,
          },
        },
        { status: typed.status },
      );
    },
  };
}

function createRoleChange({ dataSource, accounts }: MemberPageDependencies, page: MemberPage) {
  return async (ctx: SettingsContext, at: OrganizationContext): Promise<void> => {
    const member = await page.find(ctx, at);
    const role = readRole(ctx.state.form.get('role'));
    if (role === undefined)
      return page.show(ctx, at, member, { status: 422, roleError: 'Choose a role.' });
    const seen = singleValue(ctx.state.form, 'seen');
    if (seen !== undefined && seen !== member.role) {
      const roleError = `Somebody else has changed the role meanwhile: it is ${titleOf(member.role)} now. Change it again to use your choice.`;
      return page.show(ctx, at, member, { status: 409, role, roleError });
    }
    if (role === member.role) {
      return seeOther(ctx, at.href(MEMBER.replace(':id', member.id), { done: 'same' }));
    }
    const who = { tenantId: at.tenantId, accountId: member.id };
    const cut = await describeCut(dataSource.manager, who, member.role, role);
    // The page says first what is cut. The second form names the same role.
    if (cut !== undefined && ctx.state.form.get('confirmed') !== role) {
      return page.show(ctx, at, member, { status: 200, role, cut });
    }
    try {
      await dataSource.transaction((transaction) =>
        accounts.membershipsIn(transaction).changeRole(at, member.id, role),
      );
    } catch (error) {
      const roleError = conflictOf(error);
      return page.show(ctx, at, member, { status: 409, role, roleError });
    }
    // A visitor who gives up the role may not see this page any more.
    const isOwn = member.id === at.accountId;
    const path = isOwn ? MEMBERS : MEMBER.replace(':id', member.id);
    return seeOther(ctx, at.href(path, { done: 'role' }));
  };
}

function createRemoval({ dataSource, accounts }: MemberPageDependencies, page: MemberPage) {
  return async (ctx: SettingsContext, at: OrganizationContext): Promise<void> => {
    const member = await page.find(ctx, at);
    const email = (ctx.state.form.get('email') ?? '').slice(0, LONGEST_EMAIL);
    const refuse = (status: number, removeError: string) =>
      page.show(ctx, at, member, { status, email, removeError });
    if (email.trim().toLowerCase() !== member.email) {
      return refuse(422, `Enter ${member.email} to confirm.`);
    }
    try {
      await dataSource.transaction((transaction) =>
        accounts.membershipsIn(transaction).remove(at, member.id),
      );
    } catch (error) {
      return refuse(409, conflictOf(error));
    }
    return seeOther(ctx, at.href(MEMBERS, { done: 'removed' }));
  };
}

/** The reason of a conflict. Other errors are thrown again. */
function conflictOf(error: unknown): string {
  if (error instanceof Problem && error.code === 'conflict') return error.message;
  throw error;
}
