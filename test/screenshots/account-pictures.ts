import type { Page } from 'playwright-core';

import { createTestApp, ITSELF } from '../support/app/app.js';
import type { Picture } from './pictures.js';

/** Shows the page for a forgotten password of a server that sends mail. */
async function showForgotten(page: Page, act?: () => Promise<void>): Promise<void> {
  const gatehouse = await createTestApp({ ISSUER: ITSELF, SMTP_URL: 'smtp://127.0.0.1:1' });
  try {
    await page.goto(`${gatehouse.config.ISSUER}/forgot-password`);
    await act?.();
    await page.waitForLoadState('networkidle');
  } finally {
    await gatehouse.close();
  }
}

/** The pages of members, the account, and the links in mails. */
export const ACCOUNT_PICTURES: readonly Picture[] = [
  { name: 'members', as: 'admin', path: '/settings/members?tenant=acme' },
  { name: 'members-names', as: 'viewer', path: '/settings/members' },
  { name: 'members-invite', as: 'admin', path: '/settings/members/invite?tenant=acme' },
  {
    name: 'members-pending',
    as: 'admin',
    path: '/settings/members/invite?tenant=acme',
    async prepare(page) {
      await page.locator('textarea').fill('new.colleague@example.com\nsecond@example.com');
      await page.locator('main button.primary').click();
      await page.waitForLoadState('networkidle');
    },
  },
  {
    name: 'member-change',
    as: 'admin',
    path: ({ acme, people }) => `/settings/members/of/${people.viewer.id}?tenant=${acme.slug}`,
  },
  { name: 'profile', as: 'admin', path: '/settings/profile?tenant=acme' },
  { name: 'sessions', as: 'admin', path: '/settings/sessions?tenant=acme' },
  { name: 'leave', as: 'viewer', path: '/settings/profile/leave' },
  { name: 'new-token', as: 'admin', path: '/settings/tokens/new?tenant=acme' },
  {
    name: 'token-secret',
    as: 'admin',
    path: '/settings/tokens/new?tenant=acme',
    async prepare(page) {
      await page.getByRole('textbox', { name: 'Name' }).fill('Work laptop');
      await page.getByRole('button', { name: 'Create', exact: true }).last().click();
      await page.locator('#secret').waitFor();
    },
  },
  {
    name: 'token',
    as: 'admin',
    path: '/settings/tokens/new?tenant=acme',
    async prepare(page) {
      await page.getByRole('textbox', { name: 'Name' }).fill('Home laptop');
      await page.getByRole('button', { name: 'Create', exact: true }).last().click();
      await page.locator('#secret').waitFor();
      page.on('dialog', (dialog) => void dialog.accept());
      await page.getByRole('link', { name: 'Done' }).click();
      await page.getByRole('link', { name: 'Home laptop' }).click();
      await page.getByRole('heading', { name: 'Audit trail' }).waitFor();
    },
  },
  { name: 'forgot-password-unsent', path: '/forgot-password' },
  { name: 'forgot-password', path: '', prepare: (page) => showForgotten(page) },
  {
    name: 'forgot-password-sent',
    path: '',
    prepare: (page) =>
      showForgotten(page, async () => {
        await page.getByLabel('Email').fill('ann@example.com');
        await page.locator('main button.primary').click();
        await page.getByRole('status').waitFor();
      }),
  },
];
