import { scopeFacts, RESOURCE_SCOPES, SCOPES, type Scope } from '../../scopes/catalog.js';

export interface ConsentScope {
  readonly name: string;
  readonly sentence: string;
  /** Whether it deletes, approves or manages. Shown with emphasis. */
  readonly isGrave: boolean;
}

export interface ConsentGroup {
  readonly title: string;
  readonly scopes: readonly ConsentScope[];
}

const GRAVE = /:(delete|approve|accept_reject|manage)$/;

/** Scopes grouped under the headings of the consent page, in the catalogue's order. */
export function consentGroups(scopes: readonly Scope[]): readonly ConsentGroup[] {
  const groups = new Map<string, ConsentScope[]>();
  for (const name of SCOPES.filter((scope) => scopes.includes(scope))) {
    const { group, description: sentence } = scopeFacts(name);
    const shown = { name, sentence, isGrave: GRAVE.test(name) };
    groups.set(group, [...(groups.get(group) ?? []), shown]);
  }
  return [...groups].map(([title, shown]) => ({ title, scopes: shown }));
}

/** Pages with more scopes begin with a summary. */
const MAX_WITHOUT_SUMMARY = 6;

/**
 * Summarizes scopes, such as `Read 10 kinds of records, change 10, delete 2 and use 4 other permissions.`
 * @returns `undefined` for few scopes
 */
export function summarizeScopes(scopes: readonly Scope[]): string | undefined {
  if (scopes.length <= MAX_WITHOUT_SUMMARY) return undefined;
  const named = ['read', 'write', 'delete'].map((action) =>
    RESOURCE_SCOPES.filter((scope) => scope.endsWith(`:${action}`) && scopes.includes(scope)),
  );
  const verbs = ['read', 'change', 'delete'];
  const counted = named
    .map(({ length: count }, index) => ({ verb: verbs[index] ?? '', count }))
    .filter(({ count }) => count > 0)
    .map(({ verb, count }, index) => `${verb} ${count}${index === 0 ? kindsOfRecords(count) : ''}`);
  const others = scopes.length - named.flat().length;
  const parts = others === 0 ? counted : [...counted, `use ${others} other ${permissions(others)}`];
  const text = parts.length < 2 ? parts.join('') : joined(parts);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function joined(parts: readonly string[]): string {
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

const kindsOfRecords = (count: number) => (count === 1 ? ' kind of records' : ' kinds of records');
const permissions = (count: number) => (count === 1 ? 'permission' : 'permissions');
