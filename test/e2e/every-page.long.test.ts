import { describe, expect, it } from '@jest/globals';

import { CONSOLE_PAGES } from '../../src/console/navigation.js';
import { useGallery } from '../screenshots/gallery.js';
import { PICTURES } from '../screenshots/pictures.js';
import { AXE_SCRIPT, flawsOf } from '../support/browser/flaws.js';

const PAGE_MS = 60_000;

/** Routes outside of the pages, and addresses of forms that lead back to their page. */
const NO_PAGE =
  /^\/(?:api\/v1\/(?!oauth\/end-session$)|(?:assets|\.well-known|app-logos|operator|verify)\/|login\/providers\/|favicon|healthz|readyz|$)|^\/settings\/profile\/(?:name|email|password|(?:un)?link-provider)$|\/exports?\b/;

describe('every page in every state', () => {
  const gallery = useGallery({ script: AXE_SCRIPT });
  const shown = new Set<string>();

  it.each(PICTURES)(
    'fits every screen, and can be read by everybody: $name',
    (picture) =>
      gallery.show(picture, async (page, refused) => {
        shown.add(new URL(page.url()).pathname);
        expect(await flawsOf(page)).toEqual([]);
        expect(refused).toEqual([]);
      }),
    PAGE_MS,
  );

  it('every route of a page has a picture', () => {
    const isShown = (path: string) => {
      const pattern = new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}$`);
      return [...shown].some((address) => pattern.test(address));
    };
    const missing = gallery.paths().filter((path) => !NO_PAGE.test(path) && !isShown(path));
    expect(missing).toEqual([]);
  });
});

it('every page of the sidebar has pictures, each with a name of its own', () => {
  const names = PICTURES.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  const shown = PICTURES.map(({ path }) => (typeof path === 'string' ? path : '').split('?')[0]);
  const missing = CONSOLE_PAGES.filter(({ path }) => !shown.includes(path));
  expect(missing).toEqual([]);
});
