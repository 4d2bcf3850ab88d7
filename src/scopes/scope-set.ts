import { SCOPES, type Scope } from './catalog.js';

const ORDER = new Map<string, number>(SCOPES.map((scope, index) => [scope, index]));

/**
 * Puts scopes into the catalogue's order, once each. Names that the catalogue does not know (any
 * more) are dropped: a scope that means nothing admits to nothing.
 */
export function inCatalogOrder(scopes: Iterable<string>): readonly Scope[] {
  return [...new Set(scopes)]
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
