import type { SettingsRoute } from '../settings-gate.js';
import { createInvitePages } from './invite-pages.js';
import { createMemberListPages } from './list-pages.js';
import { createMemberPages } from './member-pages.js';
import type { MemberPageDependencies } from './dependencies.js';

/** `/settings/members`: the list, invitations, and a page for each member. */
export function createMemberSettings(dependencies: MemberPageDependencies): SettingsRoute[] {
  return [
    ...createMemberListPages(dependencies),
    ...createInvitePages(dependencies),
    ...createMemberPages(dependencies),
  ];
}
