import type { Principal } from './principal.js';

/** What a route is about, for principals that are tied to single things. */
export interface Thing {
  /** As bindings call it, such as `contacts`. */
  readonly type: string;
  /** The parameter of the path that holds its id; absent for routes about all of its type. */
  readonly parameter?: string;
}

/** Who is tied to single things reaches none but those, and no list of them either. */
export function isBoundTo(
  { bindings }: Principal,
  thing: Thing | undefined,
  parameters: Readonly<Record<string, string>> = {},
): boolean {
  if (bindings === null || thing === undefined) return true;
  const id = thing.parameter === undefined ? undefined : parameters[thing.parameter];
  return bindings.some((binding) => binding.type === thing.type && binding.id === id);
}
