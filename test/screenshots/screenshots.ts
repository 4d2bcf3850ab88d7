import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, describe, it } from '@jest/globals';

import { useGallery } from './gallery.js';
import { PICTURES } from './pictures.js';

/** Run by `npm run screenshots`, which names the folder. It is not a test of its own. */
const { SCREENSHOTS_FOLDER: folder = '', SCREENSHOTS_ONLY: only = '' } = process.env;
/** Parts of the names of the pictures to make. All of them are made without a part. */
const parts = only.split(',').filter((part) => part !== '');
const isChosen = (name: string) => parts.length === 0 || parts.some((part) => name.includes(part));

const WIDTHS = [360, 768, 1280];
/** Appended to the name of a file, and the colours that the browser is asked for. */
const COLOURS = {
  light: { colorScheme: 'light', forcedColors: 'none' },
  dark: { colorScheme: 'dark', forcedColors: 'none' },
  forced: { colorScheme: 'dark', forcedColors: 'active' },
} as const;
const PICTURE_MS = 60_000;

describe('screenshots', () => {
  const gallery = useGallery({ colorScheme: 'light' });
  beforeAll(async () => {
    if (folder === '') throw new Error('Run `npm run screenshots -- <folder>`.');
    await mkdir(folder, { recursive: true });
  });

  it.each(PICTURES.filter(({ name }) => isChosen(name)))(
    '$name',
    (picture) =>
      gallery.show(picture, async (page) => {
        for (const width of WIDTHS) {
          for (const [colours, media] of Object.entries(COLOURS)) {
            await page.emulateMedia(media);
            // A window as high as the page: what sticks to an edge would cover a part of it.
            await page.setViewportSize({ width, height: 800 });
            const height = await page.evaluate<number>('document.documentElement.scrollHeight');
            await page.setViewportSize({ width, height });
            const path = join(folder, `${picture.name}-${width}-${colours}.png`);
            await page.screenshot({ path, fullPage: true });
          }
        }
      }),
    PICTURE_MS,
  );
});
