import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, describe, it } from '@jest/globals';

import { useGallery } from './gallery.js';
import { PICTURES } from './pictures.js';

/** Run by `npm run screenshots`, which names the folder. It is not a test of its own. */
const { SCREENSHOTS_FOLDER: folder = '', SCREENSHOTS_ONLY: only = '' } = process.env;

const WIDTHS = [360, 768, 1280];
const SCHEMES = ['light', 'dark'] as const;
const PICTURE_MS = 60_000;

describe('screenshots', () => {
  const gallery = useGallery({ colorScheme: 'light' });
  beforeAll(async () => {
    if (folder === '') throw new Error('Run `npm run screenshots -- <folder>`.');
    await mkdir(folder, { recursive: true });
  });

  it.each(PICTURES.filter(({ name }) => name.includes(only)))(
    '$name',
    (picture) =>
      gallery.show(picture, async (page) => {
        for (const width of WIDTHS) {
          for (const colorScheme of SCHEMES) {
            await page.emulateMedia({ colorScheme });
            // A window as high as the page: what sticks to an edge would cover a part of it.
            await page.setViewportSize({ width, height: 800 });
            const height = await page.evaluate<number>('document.documentElement.scrollHeight');
            await page.setViewportSize({ width, height });
            const path = join(folder, `${picture.name}-${width}-${colorScheme}.png`);
            await page.screenshot({ path, fullPage: true });
          }
        }
      }),
    PICTURE_MS,
  );
});
