import type { SettingsRoute } from '../settings-gate.js';
import { createConfirmPages } from './confirm-pages.js';
import { createLeavePages } from './leave-pages.js';
import { createProfilePages } from './profile-pages.js';
import { createSessionPages } from './session-pages.js';
import type { AccountPageDependencies } from './dependencies.js';

/** The pages of the visitor's own account: profile, sessions. */
export function createAccountSettings(dependencies: AccountPageDependencies): SettingsRoute[] {
  return [
    ...createProfilePages(dependencies),
    ...createLeavePages(dependencies),
    ...createSessionPages(dependencies),
    ...createConfirmPages(dependencies),
  ];
}
