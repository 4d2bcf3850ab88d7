import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, it } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';

import { launchBrowser, type RealBrowser } from '../support/browser/browser.js';
import { PASSWORD } from '../support/oauth/oauth.js';
import { PICTURES, type Picture } from './pictures.js';
import { createWorld, type World } from './world.js';

/** Run by `npm run screenshots`, which names the folder. It is not a test of its own. */
const { SCREENSHOTS_FOLDER: folder = '', SCREENSHOTS_ONLY: only = '' } = process.env;

const WIDTHS = [360, 768, 1280];
const SCHEMES = ['light', 'dark'] as const;
const MINUTES = 60_000;

describe('screenshots', () => {
  let world: World;
  let real: RealBrowser;
  beforeAll(async () => {
    if (folder === '') throw new Error('Run `npm run screenshots -- <folder>`.');
    await mkdir(folder, { recursive: true });
    world = await createWorld();
    real = await launchBrowser();
  }, 5 * MINUTES);
  afterAll(async () => {
    await real.close();
    await world.gatehouse.close();
  });

  it.each(PICTURES.filter(({ name }) => name.includes(only)))(
    '$name',
    async (picture) => {
      const context = await real.browser.newContext({ colorScheme: 'light' });
      const page = await open(context, picture);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 800 });
        for (const colorScheme of SCHEMES) {
          await page.emulateMedia({ colorScheme });
          const path = join(folder, `${picture.name}-${width}-${colorScheme}.png`);
          await page.screenshot({ path, fullPage: true });
        }
      }
      await context.close();
    },
    5 * MINUTES,
  );

  /** Opens the page of a picture, signed in where it names a person. */
  async function open(context: BrowserContext, picture: Picture): Promise<Page> {
    const page = await context.newPage();
    const { ISSUER: issuer } = world.gatehouse.config;
    await world.gatehouse.database.query('DELETE FROM attempts');
    if (picture.as !== undefined) {
      await page.goto(`${issuer}/login`);
      await page.getByLabel('Email').fill(world.people[picture.as].email);
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.waitForURL('**/settings/**');
    }
    const path = typeof picture.path === 'string' ? picture.path : picture.path(world);
    if (path !== '') await page.goto(issuer + path);
    await picture.prepare?.(page, world);
    return page;
  }
});
