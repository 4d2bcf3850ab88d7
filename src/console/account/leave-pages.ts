import { LAST_ADMINISTRATOR } from '../../accounts/index.js';
import type { OrganizationContext } from '../organization-context.js';
import { endsOf } from '../members/member-ends.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { Problem } from '../../http/errors/problem.js';
import { seeOther } from '../visitor.js';
import type { AccountPageDependencies } from './dependencies.js';
import { LEAVE } from './paths.js';

const PROFILE = '/settings/profile';
const SUSPENDED = 'Nobody can leave the organization while it is suspended.';

/** `/settings/profile/leave`: ends the visitor's own membership of the page's organization. */
export function createLeavePages({
  dataSource,
  accounts,
  showPage,
}: AccountPageDependencies): SettingsRoute[] {
  const access = { page: PROFILE, isOfMembers: true } as const;
  const show = async (ctx: SettingsContext, at: OrganizationContext, error?: string) => {
    const isLast = await accounts.membershipsIn(dataSource.manager).isLastAdministrator(at);
    const ifLast = isLast ? LAST_ADMINISTRATOR : undefined;
    const page = {
      title: `Leave ${at.tenantName}?`,
      action: at.href(LEAVE),
      back: at.href(PROFILE),
      tenantName: at.tenantName,
      ends: await endsOf(dataSource.manager, at.tenantId, at.accountId),
      canLeave: !isLast && !at.isSuspended,
      error: error ?? (at.isSuspended ? SUSPENDED : ifLast),
    };
    showPage(ctx, 'leave', page, { status: error === undefined ? 200 : 409 });
  };
  return [
    { method: 'GET', path: LEAVE, access, handle: (ctx) => show(ctx, ctx.state.organization) },
    {
      method: 'POST',
      path: LEAVE,
      access,
      async handle(ctx) {
        const at = ctx.state.organization;
        try {
          await dataSource.transaction((manager) => accounts.membershipsIn(manager).leave(at));
        } catch (error) {
          if (error instanceof Problem && error.code === 'conflict') {
            return show(ctx, at, error.message);
          }
          throw error;
        }
        // Without the organization, which the visitor cannot open any more.
        return seeOther(ctx, `${PROFILE}?done=left`);
      },
    },
  ];
}
