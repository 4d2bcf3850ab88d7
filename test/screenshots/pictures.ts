import type { Page } from 'playwright-core';

import { ACCOUNT_PICTURES } from './account-pictures.js';
import { APP_PICTURES } from './app-pictures.js';
import { CONFLICT_PICTURES } from './conflict-pictures.js';
import { CROWD_PICTURES } from './crowd-pictures.js';
import { MAIL_PICTURES } from './mail-pictures.js';
import { SESSION_PICTURES } from './session-pictures.js';
import { SIGN_IN_PICTURES } from './sign-in-pictures.js';
import { STATE_PICTURES } from './state-pictures.js';
import { WEBHOOK_PICTURES } from './webhook-pictures.js';
import { SUSPENDED_PICTURES } from './suspended-pictures.js';
import type { World } from './world.js';

/** A page in one of its states. */
export interface Picture {
  /** The name of its files, with width and colours appended. */
  readonly name: string;
  /** The person who has signed in; nobody if absent. */
  readonly as?: keyof World['people'];
  /** The path to open; empty for the page after the sign-in. */
  readonly path: string | ((world: World) => string);
  /** Brings the page into the state. */
  readonly prepare?: (page: Page, world: World) => Promise<unknown>;
}

/** Every page in every state. A new page adds its lines here. */
export const PICTURES: readonly Picture[] = [
  { name: 'login', path: '/login' },
  {
    name: 'login-wrong-password',
    path: '/login',
    async prepare(page) {
      await page.getByLabel('Email').fill('ann@example.com');
      await page.getByLabel('Password', { exact: true }).fill('a wrong password');
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByRole('alert').waitFor();
    },
  },
  { name: 'device', as: 'admin', path: '/device' },
  {
    name: 'device-wrong-code',
    as: 'admin',
    path: '/device?user_code=BCDF-GHJK',
    async prepare(page) {
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('alert').waitFor();
    },
  },
  {
    name: 'device-consent',
    as: 'manager',
    path: ({ deviceCode }) => `/device?user_code=${deviceCode}`,
    prepare: (page) => page.getByRole('button', { name: 'Continue' }).click(),
  },
  {
    name: 'device-done',
    as: 'viewer',
    path: ({ deniedDeviceCode }) => `/device?user_code=${deniedDeviceCode}`,
    async prepare(page) {
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.waitForLoadState('networkidle');
    },
  },
  { name: 'errors', path: '/docs/errors' },
  { name: 'api-reference', path: '/docs/api' },
  {
    name: 'api-reference-open',
    path: '/docs/api',
    prepare: (page) => page.locator('#postContacts summary').click(),
  },
  { name: 'page-not-found', as: 'admin', path: '/settings/nothing' },
  { name: 'api-keys', as: 'admin', path: '/settings/api-keys?tenant=acme' },
  { name: 'api-keys-test', as: 'admin', path: '/settings/api-keys?tenant=acme&env=test' },
  { name: 'api-keys-empty', as: 'admin', path: '/settings/api-keys?tenant=fresh' },
  { name: 'api-keys-no-match', as: 'admin', path: '/settings/api-keys?tenant=acme&search=nothing' },
  { name: 'api-keys-all', as: 'admin', path: '/settings/api-keys?tenant=acme&status=all' },
  { name: 'api-keys-suspended', as: 'admin', path: '/settings/api-keys?tenant=closed' },
  { name: 'api-keys-manager', as: 'manager', path: '/settings/api-keys' },
  { name: 'api-keys-viewer', as: 'viewer', path: '/settings/api-keys' },
  {
    name: 'api-keys-menu',
    as: 'admin',
    path: '/settings/api-keys?tenant=acme',
    prepare: (page) => page.locator('.list .dropdown summary').nth(2).click(),
  },
  { name: 'api-key-new', as: 'admin', path: '/settings/api-keys/new?tenant=acme' },
  {
    name: 'api-key-new-errors',
    as: 'admin',
    path: '/settings/api-keys/new?tenant=acme',
    async prepare(page) {
      await page.getByRole('button', { name: 'Read only' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('   ');
      await page.getByLabel('Expires after').selectOption('date');
      await page.getByLabel('Requests a minute').fill('many');
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.getByText('Nothing is lost').waitFor();
    },
  },
  {
    name: 'api-key-secret',
    as: 'admin',
    path: '/settings/api-keys/new?tenant=acme',
    async prepare(page) {
      await page.getByRole('textbox', { name: 'Name' }).fill('Nightly export');
      await page.getByRole('button', { name: 'Read only' }).click();
      await page.getByRole('button', { name: 'Create', exact: true }).click();
      await page.getByText('only time').waitFor();
    },
  },
  {
    name: 'api-key',
    as: 'admin',
    path: ({ keys }) => `/settings/api-keys/${keys.used}?tenant=acme`,
  },
  {
    name: 'api-key-rotated',
    as: 'admin',
    path: ({ keys }) => `/settings/api-keys/${keys.rotated}?tenant=acme`,
  },
  {
    name: 'api-key-revoked',
    as: 'admin',
    path: ({ keys }) => `/settings/api-keys/${keys.revoked}?tenant=acme`,
  },
  { name: 'machines', as: 'admin', path: '/settings/machine-credentials?tenant=acme' },
  { name: 'machines-refused', as: 'viewer', path: '/settings/machine-credentials' },
  {
    name: 'machine-new-agent',
    as: 'admin',
    path: '/settings/machine-credentials/new?tenant=acme&kind=agent',
  },
  { name: 'usage', as: 'admin', path: '/settings/usage?tenant=acme' },
  { name: 'usage-days', as: 'manager', path: '/settings/usage?tenant=acme&per=day' },
  {
    name: 'usage-table',
    as: 'admin',
    path: '/settings/usage?tenant=acme',
    prepare: (page) => page.getByText('As a table').click(),
  },
  { name: 'usage-empty', as: 'admin', path: '/settings/usage?tenant=fresh' },
  { name: 'usage-forbidden', as: 'viewer', path: '/settings/usage?tenant=acme' },
  { name: 'audit-log', as: 'admin', path: '/settings/audit-log?tenant=acme' },
  {
    name: 'audit-log-details',
    as: 'admin',
    path: '/settings/audit-log?tenant=acme&result=success',
    async prepare(page) {
      for (const row of (await page.locator('td .details > summary').all()).slice(0, 4)) {
        await row.click();
      }
    },
  },
  {
    name: 'audit-log-change',
    as: 'admin',
    path: '/settings/audit-log?tenant=acme&action=api_key.update',
    prepare: (page) => page.locator('td .details > summary').first().click(),
  },
  { name: 'audit-log-fault', as: 'admin', path: '/settings/audit-log?tenant=acme&from=yesterday' },
  { name: 'audit-log-none', as: 'admin', path: '/settings/audit-log?tenant=acme&object=nothing' },
  { name: 'audit-log-empty', as: 'admin', path: '/settings/audit-log?tenant=fresh' },
  { name: 'spaces', as: 'admin', path: '/settings/spaces?tenant=acme' },
  { name: 'spaces-names', as: 'viewer', path: '/settings/spaces?tenant=acme' },
  { name: 'space-new', as: 'admin', path: '/settings/spaces/new?tenant=acme' },
  {
    name: 'space-taken',
    as: 'admin',
    path: '/settings/spaces/new?tenant=acme',
    async prepare(page) {
      await page.getByLabel('Name').fill('default');
      await page.getByRole('button', { name: 'Create space' }).click();
      await page.locator('.fault').waitFor();
    },
  },
  { name: 'general', as: 'admin', path: '/settings/general?tenant=acme' },
  { name: 'general-read', as: 'viewer', path: '/settings/general?tenant=acme' },
  { name: 'general-suspended', as: 'admin', path: '/settings/general?tenant=closed' },
  { name: 'tokens-empty', as: 'viewer', path: '/settings/tokens' },
  { name: 'tokens', as: 'admin', path: '/settings/tokens?tenant=acme' },
  { name: 'tokens-suspended', as: 'admin', path: '/settings/tokens?tenant=closed' },
  ...ACCOUNT_PICTURES,
  ...APP_PICTURES,
  ...STATE_PICTURES,
  ...CONFLICT_PICTURES,
  ...SUSPENDED_PICTURES,
  ...SESSION_PICTURES,
  ...CROWD_PICTURES,
  ...MAIL_PICTURES,
  ...SIGN_IN_PICTURES,
  ...WEBHOOK_PICTURES,
];
