import { scopeFacts, RESOURCE_SCOPES, SCOPES, type Scope } from '../../scopes/catalog.js';

/** Scopes in a row of a list: the first group in words, the number of the others, and all of them. */
export interface ScopeSummary {
  readonly text: string;
  readonly all: readonly string[];
}

/** Summarizes scopes, such as `contacts: read, write · +3`. */
export function summarizeInRow(scopes: readonly Scope[]): ScopeSummary {
  const [first = ''] = scopes;
  const [resource = ''] = first.split(':');
  const group = scopes.filter((scope) => scope.startsWith(`${resource}:`));
  const rest = scopes.length - Math.max(group.length, 1);
  const actions = group.map((scope) => scope.slice(resource.length + 1)).join(', ');
  const text = actions === '' ? first : `${resource}: ${actions}`;
  return { text: rest > 0 ? `${text} · +${rest}` : text, all: scopes };
}

/** A cell of the matrix of scopes. */
export interface ScopeCell {
  readonly scope: Scope;
  readonly sentence: string;
  /** Shown instead of the scope's own words in the matrix. */
  readonly label: string;
}

/** A row of the matrix: a resource, and its actions in the order of `ACTIONS`. */
export interface ScopeRow {
  readonly title: string;
  readonly cells: readonly (ScopeCell | undefined)[];
}

const ACTIONS = ['read', 'write', 'delete'] as const;

const cellOf = (scope: Scope): ScopeCell => ({
  scope,
  sentence: scopeFacts(scope).description,
  label: scope,
});

/** The matrix of resources by actions, without scopes that are not offered. */
export function matrixOf(offered: readonly Scope[]): readonly ScopeRow[] {
  const resources = [...new Set(RESOURCE_SCOPES.map((scope) => scope.split(':')[0] ?? ''))];
  return resources
    .map((resource) => ({
      title: resource.replaceAll('_', ' '),
      cells: ACTIONS.map((action) => {
        const scope = offered.find((name) => name === `${resource}:${action}`);
        return scope && cellOf(scope);
      }),
    }))
    .filter(({ cells }) => cells.some((cell) => cell !== undefined));
}

/** The scopes beside the matrix, by their group. */
export function othersOf(
  offered: readonly Scope[],
): readonly { readonly title: string; readonly cells: readonly ScopeCell[] }[] {
  const resource: readonly Scope[] = RESOURCE_SCOPES;
  const others = SCOPES.filter((scope) => offered.includes(scope) && !resource.includes(scope));
  const titles = [...new Set(others.map((scope) => scopeFacts(scope).group))];
  return titles.map((title) => ({
    title,
    cells: others.filter((scope) => scopeFacts(scope).group === title).map(cellOf),
  }));
}
