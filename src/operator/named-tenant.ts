import { invalid } from '../http/validation.js';
import type { Problem } from '../http/errors/problem.js';
import { createTenantService } from '../tenants/index.js';
import type { OperatorContext } from './operator-guard.js';

/**
 * Finds the tenant that a request names.
 *
 * @param named its id or slug
 * @returns its id; `undefined` if the request names none
 * @throws Problem `not_found` for an unknown one
 */
export async function tenantIdOf(ctx: OperatorContext, named: string): Promise<string>;
export async function tenantIdOf(
  ctx: OperatorContext,
  named: string | undefined,
): Promise<string | undefined>;
export async function tenantIdOf({ state }: OperatorContext, named: string | undefined) {
  if (named === undefined) return undefined;
  return (await createTenantService(state.manager).find(named)).id;
}

/** A selection that lacks a member, or has one too many. */
export function wrongSelection(field: string, message: string): Problem {
  return invalid([{ field, code: 'required', message }]);
}
