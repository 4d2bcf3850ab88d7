import type { Principal } from './principal.js';

/**
 * Whether a principal may come to a route about things of a type: who is tied to single things reaches
 * none but those, and no list of them either.
 *
 * @param thing the type, as bindings call it; `undefined` for routes about nothing that one can be tied to
 * @param id that of the one thing that a request is about; `undefined` if it is about all of them
 */
export function isBoundTo(
  { bindings }: Principal,
  thing: string | undefined,
  id: string | undefined,
): boolean {
  if (bindings === null || thing === undefined) return true;
  return bindings.some((binding) => binding.type === thing && binding.id === id);
}
