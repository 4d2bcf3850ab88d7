import { afterAll, beforeAll } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';

import { launchBrowser, type RealBrowser } from '../support/browser/browser.js';
import { PASSWORD } from '../support/oauth/oauth.js';
import type { Picture } from './pictures.js';
import { createWorld, type World } from './world.js';

/** The server with rich data, and a browser that opens its pages. */
export interface Gallery {
  /** The paths of the server's routes that answer GET requests, as declared. */
  paths(): readonly string[];
  /**
   * Opens the page of a picture in its state, in a context of its own, and closes it after `look`.
   *
   * @param look gets the page, and the lines in which the browser says that the page's policy refused something
   */
  show(
    picture: Picture,
    look: (page: Page, refused: readonly string[]) => Promise<void>,
  ): Promise<void>;
}

const SET_UP_MS = 300_000;

/** Registers the hooks that start and end the server and the browser. A failed start ends what it had started. */
export function useGallery(options: BrowserContextOptions & { readonly script?: string }): Gallery {
  let world: World;
  let real: RealBrowser;
  const started: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    // Recorded before it is ready: a set-up that takes too long continues after its hook has failed.
    const building = createWorld();
    started.push({
      async close() {
        const built = await building.catch(() => undefined);
        await built?.gatehouse.close();
      },
    });
    world = await building;
    real = await launchBrowser();
    started.push(real);
  }, SET_UP_MS);
  afterAll(async () => {
    for (const part of started.toReversed()) await part.close();
  }, SET_UP_MS);

  return {
    paths: () =>
      world.gatehouse.app.otherRoutes
        .filter(({ method }) => method === 'GET')
        .map(({ path }) => path),
    async show(picture, look) {
      const { script, ...contextOptions } = options;
      const context = await real.browser.newContext(contextOptions);
      try {
        if (script !== undefined) await context.addInitScript({ content: script });
        const refused: string[] = [];
        context.on('console', (message) => {
          if (message.text().includes('Content Security Policy')) refused.push(message.text());
        });
        const page = await context.newPage();
        await open(page, picture, world);
        await look(page, refused);
      } finally {
        await context.close();
      }
    },
  };
}

/** Opens the page of a picture, signed in where it names a person. */
async function open(page: Page, picture: Picture, world: World): Promise<void> {
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
}
