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
          await page.setViewportSize({ width, height: 800 });
          for (const colorScheme of SCHEMES) {
            await page.emulateMedia({ colorScheme });
            const path = join(folder, `${picture.name}-${width}-${colorScheme}.png`);
            await page.screenshot({ path, fullPage: true });
          }
        }
      }),
    PICTURE_MS,
  );
});
