import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';

import { createWorld, type World } from '../screenshots/world.js';
import { launchBrowser, type RealBrowser } from '../support/browser/browser.js';
import { PASSWORD } from '../support/oauth/oauth.js';

const MINUTES = 60_000;
const WIDTHS = [360, 768, 1280];
const PATHS = [
  '/settings/usage?tenant=acme',
  '/settings/usage?tenant=acme&per=day',
  '/settings/audit-log?tenant=acme',
  '/settings/spaces?tenant=acme',
  '/settings/spaces/new?tenant=acme',
  '/settings/general?tenant=acme',
];

let world: World;
let real: RealBrowser;
beforeAll(async () => {
  world = await createWorld();
  real = await launchBrowser();
}, 5 * MINUTES);
afterAll(async () => {
  await real.close();
  await world.gatehouse.close();
});

async function signedIn(javaScriptEnabled = true): Promise<Page> {
  const context = await real.browser.newContext({ javaScriptEnabled });
  const page = await context.newPage();
  await world.gatehouse.database.query('DELETE FROM attempts');
  await page.goto(`${world.gatehouse.config.ISSUER}/login`);
  await page.getByLabel('Email').fill(world.people.admin.email);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL('**/settings/**');
  return page;
}

const go = (page: Page, path: string) => page.goto(world.gatehouse.config.ISSUER + path);

it(
  'never overflows, with long, Arabic and hostile names, all details open',
  async () => {
    const page = await signedIn();
    const faults: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    for (const path of PATHS) {
      await go(page, path);
      for (const summary of await page.locator('main details > summary').all()) {
        await summary.click();
      }
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 800 });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        expect([path, width, wide]).toEqual([path, width, width]);
      }
    }
    expect(faults).toEqual([]);
    await page.context().close();
  },
  5 * MINUTES,
);

it(
  'works without scripts: details, filters, the next page, a file, a new space and another name',
  async () => {
    const page = await signedIn(false);
    await go(page, '/settings/audit-log?tenant=acme');
    await page.getByLabel('Action').selectOption('api_key.update');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL('**action=api_key.update**');
    const entries = page.locator('.audit > tbody > tr');
    const entry = entries.filter({ hasText: 'rateLimitPerMinute' }).first();
    await entry.locator('summary').click();
    await entry.getByText('rateLimitPerMinute').waitFor();

    await page.getByRole('link', { name: 'Clear filters' }).click();
    await page.getByRole('link', { name: 'Next page' }).click();
    await page.getByRole('link', { name: 'First page' }).waitFor();
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Export as CSV' }).click(),
    ]);
    expect(file.suggestedFilename()).toMatch(/^audit-log-.*\.csv$/);
    expect(await readFile(await file.path(), 'utf8')).toContain('"credential.refused"');

    await go(page, '/settings/usage?tenant=acme');
    await page.getByText('As a table').click();
    await page.getByRole('columnheader', { name: 'Hour' }).waitFor();
    await page.getByRole('link', { name: 'Last 30 days' }).click();
    await page.getByRole('link', { name: 'Sync with the ERP' }).click();
    await page.getByRole('link', { name: 'Show all' }).waitFor();

    await go(page, '/settings/spaces?tenant=acme');
    await page.getByRole('link', { name: 'New space' }).click();
    await page.getByLabel('Name').fill('Yard');
    await page.getByRole('button', { name: 'Create space' }).click();
    await page.getByText('The space is created.').waitFor();
    await page.getByRole('link', { name: 'Rename Yard' }).click();
    await page.getByLabel('Name').fill('North yard');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('link', { name: 'Rename North yard' }).waitFor();

    await go(page, '/settings/general?tenant=acme');
    await page.getByLabel('Name of the organization').fill('Acme Builders');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The organization is renamed.').waitFor();
    await page.context().close();
  },
  5 * MINUTES,
);
