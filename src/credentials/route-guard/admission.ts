import type { Scope } from '../../scopes/catalog.js';
import { missingFrom } from '../../scopes/scope-set.js';
import { KINDS, PRINCIPAL_KINDS, type PrincipalKind } from '../kinds.js';
import { reachesBoundResource, type Principal } from '../principal.js';
import type { Reason } from './refusals.js';

/** The access rule of a route: everybody, or these kinds of principal if they hold all of the scopes. */
export type Access =
  | 'public'
  | {
      readonly scopes: readonly Scope[];
      readonly principals: readonly PrincipalKind[];
      /** The resource type in `Binding.type`. The path parameter `id` names the resource. */
      readonly resource?: string;
      /** Whether the key that the path parameter `id` names is admitted too, whatever its kind and scopes. */
      readonly orItself?: boolean;
      /**
       * Whether a member's browser session is admitted too, from pages of this origin with their CSRF proof, if the role
       * has the scopes. Its principal is the member; see `session-principal.ts`.
       */
      readonly sessions?: boolean;
    };

export const ANY_PRINCIPAL: readonly PrincipalKind[] = PRINCIPAL_KINDS;

/**
 * The reason why a route does not admit a valid credential.
 *
 * @param parameters the path parameters
 * @returns `undefined` if it is admitted
 */
export function denialReason(
  principal: Principal | undefined,
  access: Exclude<Access, 'public'> | undefined,
  parameters: Readonly<Record<string, string>> | undefined,
): Reason | undefined {
  if (principal === undefined) return undefined;
  if (access?.orItself === true && isItself(principal, parameters?.['id'])) return undefined;
  if (!access?.principals.includes(principal.principalKind)) return 'principal_not_admitted';
  if (missingFrom(principal.scopes, access.scopes).length > 0) return 'scope_insufficient';
  return reachesBoundResource(principal, access.resource, parameters?.['id'])
    ? undefined
    : 'not_bound';
}

/** Whether the path names the presented key. A publishable key is public, so presenting it proves nothing. */
function isItself({ kind, token, credentialId }: Principal, id: string | undefined): boolean {
  return token === undefined && !KINDS[kind].isReadable && credentialId === id;
}
