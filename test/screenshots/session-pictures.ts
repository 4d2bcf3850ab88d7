import type { Page } from 'playwright-core';

import { PASSWORD } from '../support/oauth/oauth.js';
import type { Picture } from './pictures.js';
import type { World } from './world.js';

/** Every picture signs in on its own, so no other one needs these sessions. */
const endSessions = ({ gatehouse }: World) =>
  gatehouse.database.query('UPDATE sessions SET expires_at = gatehouse_now()');

/** Submits a form after the session has ended, and signs in again. */
async function submitTooLate(page: Page, world: World): Promise<void> {
  await page.getByLabel('Name').fill('North wing');
  await endSessions(world);
  await page.getByRole('button', { name: 'Create space' }).click();
  await page.getByLabel('Email').fill(world.people.admin.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('Your session had ended').waitFor();
}

/** Sessions that ended, and pages as they are for people with few or no rights. */
export const SESSION_PICTURES: readonly Picture[] = [
  {
    name: 'login-session-ended',
    as: 'viewer',
    path: '/settings/general',
    async prepare(page, world) {
      await endSessions(world);
      await page.reload();
      await page.getByText('Your session has ended').waitFor();
    },
  },
  {
    name: 'form-kept',
    as: 'admin',
    path: '/settings/spaces/new?tenant=acme',
    prepare: submitTooLate,
  },
  { name: 'profile-alone', as: 'loner', path: '/settings/profile' },
  { name: 'sessions-alone', as: 'loner', path: '/settings/sessions' },
  { name: 'apps-alone', as: 'loner', path: '/settings/apps' },
  { name: 'keys-alone', as: 'loner', path: '/settings/api-keys' },
  { name: 'members-manager', as: 'manager', path: '/settings/members' },
  { name: 'spaces-manager', as: 'manager', path: '/settings/spaces' },
  { name: 'machines-manager', as: 'manager', path: '/settings/machine-credentials' },
];
