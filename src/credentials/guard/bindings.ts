import type { Principal } from '../principal.js';

/**
 * Whether the bindings of a principal admit a request. A bound principal reaches only the resources that it is
 * bound to, and no list of them.
 *
 * @param resource the type in `Binding.type`; `undefined` for routes of resources that cannot be bound to
 * @param id the resource that the request names; `undefined` for a list
 */
export function reachesBoundResource(
  { bindings }: Principal,
  resource: string | undefined,
  id: string | undefined,
): boolean {
  if (bindings === null || resource === undefined) return true;
  return bindings.some((binding) => binding.type === resource && binding.id === id);
}
