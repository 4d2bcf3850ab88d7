import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import type { TestKey } from '../support/app/app.js';
import { useBrowserApp } from '../support/browser/browser-app.js';
import { PASSWORD } from '../support/oauth/oauth.js';

const world = useBrowserApp();
let context: BrowserContext;
let page: Page;
let key: TestKey;
beforeAll(async () => {
  const [row] = await world.gatehouse.dataSource.query<[{ id: string }]>(
    `SELECT id FROM tenants WHERE slug = 'acme'`,
  );
  const fields = { name: 'Website', kind: 'publishable', scopes: ['products:read'] };
  key = await world.gatehouse.createKey(row as never, fields);
  context = await world.newContext();
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  page = await context.newPage();
  await page.goto(`${world.issuer}/login`);
  await page.getByLabel('Email').fill(world.user.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL('**/settings/**');
});
afterAll(() => context.close());

it('the palette copies the publishable key and opens a page, by keyboard only', async () => {
  await page.goto(`${world.issuer}/settings/tokens?tenant=acme`);
  await page.getByRole('link', { name: 'Search…' }).focus();
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'Search' });
  await field.waitFor();
  await page.keyboard.type('API');
  await page.getByRole('option', { selected: true, name: /Website/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('status').getByText('Copied').waitFor();
  expect(await page.evaluate('navigator.clipboard.readText()')).toBe(key.secret);

  await page.keyboard.press('Escape');
  await field.waitFor({ state: 'hidden' });
  expect(await page.evaluate('document.activeElement.hasAttribute("data-palette")')).toBe(true);

  await page.keyboard.press('Control+k');
  await field.fill('connected');
  await page.getByRole('option', { selected: true, name: /Connected apps/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/settings/connected-apps?**');
});
