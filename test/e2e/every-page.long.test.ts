import { describe, expect, it } from '@jest/globals';

import { CONSOLE_PAGES } from '../../src/console/navigation.js';
import { useGallery } from '../screenshots/gallery.js';
import { PICTURES } from '../screenshots/pictures.js';
import { AXE_SCRIPT, flawsOf } from '../support/browser/flaws.js';

const PAGE_MS = 60_000;

describe('every page in every state', () => {
  const gallery = useGallery({ script: AXE_SCRIPT });

  it.each(PICTURES)(
    'fits every screen, and can be read by everybody: $name',
    (picture) =>
      gallery.show(picture, async (page, refused) => {
        expect(await flawsOf(page)).toEqual([]);
        expect(refused).toEqual([]);
      }),
    PAGE_MS,
  );
});

it('every page of the sidebar has pictures, each with a name of its own', () => {
  const names = PICTURES.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  const shown = PICTURES.map(({ path }) => (typeof path === 'string' ? path : '').split('?')[0]);
  const missing = CONSOLE_PAGES.filter(({ path }) => !shown.includes(path));
  expect(missing).toEqual([]);
});
