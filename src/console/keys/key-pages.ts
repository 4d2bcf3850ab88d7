import type { SettingsRoute } from '../settings-gate.js';
import { showKeys } from './key-list-page.js';
import type { KeySection } from './key-section.js';
import { createNewKeyPages } from './new-key-pages.js';
import { createOneKeyPages } from './one-key-pages.js';
import { sectionRoute, type KeyPagesDependencies } from './section-routes.js';

/** The pages of a section of keys: the list, the form for a new one, its secret, and the page of each key. */
export function createKeyPages(
  dependencies: KeyPagesDependencies,
  section: KeySection,
): SettingsRoute[] {
  const { showPage } = dependencies;
  const list = sectionRoute(
    section,
    'GET',
    '',
    async (ctx, at) => showPage(ctx, 'keys', await showKeys(dependencies, section, at, ctx)),
    { page: section.path },
  );
  // `/new` stands before `/:id`.
  return [
    list,
    ...createNewKeyPages(dependencies, section),
    ...createOneKeyPages(dependencies, section),
  ];
}
