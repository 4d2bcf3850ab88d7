import { nameToday, SCOPES, type Scope } from './catalog.js';

const ORDER = new Map<string, number>(SCOPES.map((scope, index) => [scope, index]));

/**
 * Sorts scopes in the catalogue's order, without duplicates. Renamed scopes get their name of
 * today. Names that are not in the catalogue, or no longer, are dropped.
 */
export function inCatalogOrder(scopes: Iterable<string>): readonly Scope[] {
  return [...new Set([...scopes].map(nameToday))]
    .filter((scope): scope is Scope => ORDER.has(scope))
    .toSorted((a, b) => (ORDER.get(a) ?? 0) - (ORDER.get(b) ?? 0));
}

/** The scopes of `wanted` that `held` does not contain. */
export function missingFrom(held: readonly Scope[], wanted: readonly Scope[]): readonly Scope[] {
  return wanted.filter((scope) => !held.includes(scope));
}

/** The scopes of `some` that are also in `others`, in the order of `some`. */
export function commonTo(some: readonly Scope[], others: readonly Scope[]): readonly Scope[] {
  return some.filter((scope) => others.includes(scope));
}
