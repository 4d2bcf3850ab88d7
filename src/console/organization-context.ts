import type { AccountMembership } from '../accounts/index.js';
import type { Actor } from '../audit/index.js';
import { ENVIRONMENTS, type Environment } from '../credentials/kinds.js';
import { chooseTenant, type SignedIn } from '../credentials/index.js';
import { singleValue } from '../http/body/form.js';
import type { Role } from '../scopes/roles.js';

/** The visitor of a page that needs no organization. */
export interface PersonalContext extends SignedIn {
  readonly environment: Environment;
  /** The visitor, for the audit log. */
  readonly actor: Actor;
  /** The address of a page, in the organization and environment of this one if it has any. */
  readonly href: (path: string, query?: Readonly<Record<string, string>>) => string;
}

/** The organization and the environment in which a page works. Both are in its address. */
export interface OrganizationContext extends PersonalContext {
  readonly tenantId: string;
  readonly tenantName: string;
  readonly tenantSlug: string;
  readonly isSuspended: boolean;
  readonly role: Role;
}

/**
 * Reads the organization and the environment from a page's address.
 *
 * A page that is only looked at needs no organization in its address, and may belong to a suspended one.
 * @throws Problem as `chooseTenant` does
 */
export function readOrganization(
  { method, querystring }: { readonly method: string; readonly querystring: string },
  memberships: readonly AccountMembership[],
  visitor: SignedIn & { readonly actor: Actor },
): OrganizationContext {
  const query = new URLSearchParams(querystring);
  const isReading = method === 'GET' || method === 'HEAD';
  const usable = memberships.find(({ isTenantSuspended }) => !isTenantSuspended) ?? memberships[0];
  const fallback = isReading ? (usable?.tenantSlug ?? '') : '';
  const candidates = isReading ? memberships.map(asReadable) : memberships;
  const named = singleValue(query, 'tenant') ?? fallback;
  const chosen = chooseTenant(candidates, named, 'Open the page again and choose one.');
  const isSuspended = memberships.some(
    ({ tenantId, isTenantSuspended }) => tenantId === chosen.tenantId && isTenantSuspended,
  );
  const wanted = singleValue(query, 'env');
  const environment = ENVIRONMENTS.find((name) => name === wanted) ?? 'live';
  const { tenantId, tenantName, tenantSlug, role } = chosen;
  const { accountId, sessionId, actor } = visitor;
  return {
    accountId,
    sessionId,
    actor,
    tenantId,
    tenantName,
    tenantSlug,
    isSuspended,
    role,
    environment,
    href: (path, more) => addressIn(tenantSlug, environment, path, more),
  };
}

/** The part of an organization's context that the frame of a page shows. */
export type FramedOrganization = Pick<
  OrganizationContext,
  'tenantId' | 'tenantName' | 'tenantSlug' | 'isSuspended' | 'role' | 'environment' | 'href'
>;

/** The organization that a page without one in its address would show. */
export function firstOrganization(
  memberships: readonly AccountMembership[],
): FramedOrganization | undefined {
  const first = memberships.find(({ isTenantSuspended }) => !isTenantSuspended) ?? memberships[0];
  if (first === undefined) return undefined;
  const { tenantId, tenantName, tenantSlug, role, isTenantSuspended } = first;
  return {
    tenantId,
    tenantName,
    tenantSlug,
    role,
    isSuspended: isTenantSuspended,
    environment: 'live',
    href: (path, more) => addressIn(tenantSlug, 'live', path, more),
  };
}

/** The context of a visitor who belongs to no organization. */
export function withoutOrganization(
  visitor: SignedIn & { readonly actor: Actor },
): PersonalContext {
  const { accountId, sessionId, actor } = visitor;
  return {
    accountId,
    sessionId,
    actor,
    environment: 'live',
    href: (path, query = {}) => {
      const text = new URLSearchParams(query).toString();
      return text === '' ? path : `${path}?${text}`;
    },
  };
}

/** The address of a page in an organization and environment. */
export function addressIn(
  tenantSlug: string,
  environment: Environment,
  path: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams({ tenant: tenantSlug, env: environment, ...more });
  return `${path}?${query.toString()}`;
}

/** A suspended organization can be looked at. */
function asReadable(membership: AccountMembership): AccountMembership {
  return { ...membership, isTenantSuspended: false };
}
