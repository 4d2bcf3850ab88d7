import type { SettingsRoute } from '../settings-gate.js';
import { createConfirmPages } from './confirm-pages.js';
import { createLeavePages } from './leave-pages.js';
import { createProfilePages } from './profile-pages.js';
import { createProfileView } from './profile-view.js';
import { createProviderPages } from './provider-pages.js';
import { createSessionPages } from './session-pages.js';
import type { AccountPageDependencies } from './dependencies.js';

/** The pages of the visitor's own account: profile, sessions. */
export function createAccountSettings(dependencies: AccountPageDependencies): SettingsRoute[] {
  const profile = createProfileView(dependencies);
  return [
    ...createProfilePages(dependencies, profile),
    ...createLeavePages(dependencies),
    ...createProviderPages(dependencies, profile),
    ...createSessionPages(dependencies),
    ...createConfirmPages(dependencies),
  ];
}
