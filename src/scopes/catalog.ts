import { fileURLToPath } from 'node:url';

import { readCatalog, type Action, type CatalogDocument } from './catalog-document.js';
import { SYSTEM_CATALOG, type ScopeFacts, type SystemScope } from './system-scopes.js';

/**
 * The only list of scopes. Guards, key forms, consent, metadata and schemas derive from it. It is the process's own:
 * `CATALOG_FILE` names its document, which is read once, when this module loads (decision 29). No scope implies another.
 */

export type { Action };

declare const inCatalog: unique symbol;

/** A scope of the catalogue. Code can write system scopes only; `isScope` and `resourceScope` find the others. */
export type Scope = SystemScope | (string & { readonly [inCatalog]: true });

const BUILT_IN = fileURLToPath(new URL('buildworkpro.json', import.meta.url));
const given = process.env['CATALOG_FILE'] ?? '';
const read = readCatalog(given === '' ? BUILT_IN : given);

/** The file that the catalogue was read from, and its faults. `readConfig` refuses to start with a fault. */
export const CATALOG_SOURCE = { file: given, faults: read.faults } as const;

/** The document of the catalogue. With faults it is the built-in one, so that help and checks still work. */
export const DOCUMENT: CatalogDocument = read.document ?? builtIn();

function builtIn(): CatalogDocument {
  const { document, faults } = readCatalog(BUILT_IN);
  if (document === undefined) throw new Error(`The built-in catalogue is faulty: ${faults.join()}`);
  return document;
}

const SENTENCES: Readonly<Record<Action, (noun: string) => string>> = {
  read: (noun) => `List and read ${noun}.`,
  write: (noun) => `Create and update ${noun}, but not delete them.`,
  delete: (noun) => `Delete ${noun}.`,
};

const resourceEntries = DOCUMENT.resources.flatMap((resource) => {
  const { name, noun, basic = ['read'] } = resource;
  return resource.actions.map((action): [string, ScopeFacts] => [
    `${name}:${action}`,
    {
      description: SENTENCES[action](noun),
      group: noun.charAt(0).toUpperCase() + noun.slice(1),
      public: resource.public.includes(action),
      basic: basic.includes(action),
      grantedTo: 'all',
    },
  ]);
});

const CATALOG: ReadonlyMap<string, ScopeFacts> = new Map([
  ...resourceEntries,
  ...DOCUMENT.scopes.map(({ name, sentence, ...facts }): [string, ScopeFacts] => [
    name,
    { ...facts, description: sentence },
  ]),
  ...Object.entries<ScopeFacts>(SYSTEM_CATALOG),
]);

/** All scopes in the catalogue's order: resources, further ones, the system's. */
export const SCOPES = [...CATALOG.keys()] as readonly Scope[];

/** The `<resource>:<action>` scopes, in the catalogue's order. */
export const RESOURCE_SCOPES = resourceEntries.map(([scope]) => scope) as readonly Scope[];

/** The facts of a scope. */
export function scopeFacts(scope: Scope): ScopeFacts {
  const facts = CATALOG.get(scope);
  if (facts === undefined) throw new TypeError(`${scope} is not a scope of the catalogue.`);
  return facts;
}

/** The scopes that an API key can carry, in the catalogue's order. */
export const KEY_SCOPES = SCOPES.filter((scope) => scopeFacts(scope).grantedTo !== 'oauth');

/** The scopes that can be granted through OAuth, in the catalogue's order. */
export const OAUTH_SCOPES = SCOPES.filter((scope) => scopeFacts(scope).grantedTo !== 'keys');

/** The scopes that a publishable key can carry, in the catalogue's order. */
export const PUBLIC_SCOPES = SCOPES.filter((scope) => scopeFacts(scope).public);

/** The scopes that clients should ask for first (RFC 9728 §2), in the catalogue's order. */
export const BASIC_SCOPES = SCOPES.filter((scope) => scopeFacts(scope).basic);

/** Whether a text is a scope of the catalogue. */
export function isScope(text: string): text is Scope {
  return CATALOG.has(text);
}

/** The scope `<resource>:<action>`; `undefined` if the catalogue lacks it. */
export function resourceScope(resource: string, action: Action): Scope | undefined {
  const scope = `${resource}:${action}`;
  return isScope(scope) ? scope : undefined;
}

/** The name of a stored scope or role today: its own, unless the catalogue renames it. */
export function nameToday(stored: string): string {
  return RENAMED.get(stored) ?? stored;
}

const RENAMED: ReadonlyMap<string, string> = new Map(Object.entries(DOCUMENT.renamed));

/** The names under which a scope or role of today may be stored. */
export function storedNames(today: string): readonly string[] {
  return [today, ...[...RENAMED].flatMap(([former, name]) => (name === today ? [former] : []))];
}
