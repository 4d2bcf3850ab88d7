import {
  DOCUMENT,
  nameToday,
  RESOURCE_SCOPES,
  scopeFacts,
  SCOPES,
  storedNames,
  type Scope,
} from './catalog.js';

/** A role of the catalogue, as stored: `renamed` may give it another name today. */
export type Role = string;

/** All roles in the catalogue's order. */
export const ROLES: readonly Role[] = DOCUMENT.roles.map(({ name }) => name);

type RoleFacts = (typeof DOCUMENT.roles)[number] & {
  readonly byKeys: readonly Scope[];
  readonly throughOauth: readonly Scope[];
};

const FOR_ANYONE = SCOPES.filter(
  (scope) => scopeFacts(scope).grantedTo === 'oauth' || scope === 'offline_access',
);

const BY_NAME: ReadonlyMap<string, RoleFacts> = new Map(
  DOCUMENT.roles.map((role) => {
    const delegable = new Set<string>([...role.delegates.flatMap(expand), ...FOR_ANYONE]);
    const byKeys = role.administers ? SCOPES : SCOPES.filter((scope) => delegable.has(scope));
    const throughOauth = byKeys.filter((scope) => scopeFacts(scope).grantedTo !== 'keys');
    return [role.name, { ...role, byKeys, throughOauth }];
  }),
);

/** Expands `*:read` to that action of every resource. */
function expand(delegated: string): readonly string[] {
  if (!delegated.startsWith('*:')) return [delegated];
  return RESOURCE_SCOPES.filter((scope) => scope.endsWith(delegated.slice(1)));
}

const factsOf = (role: Role) => BY_NAME.get(nameToday(role));

/**
 * The scopes that a role can delegate to a key or personal token, in the catalogue's order. A role that left the
 * catalogue delegates nothing.
 */
export function delegableBy(role: Role): readonly Scope[] {
  return factsOf(role)?.byKeys ?? [];
}

/** The scopes that a role can delegate through OAuth, without those that only keys can have. */
export function delegableThroughOauth(role: Role): readonly Scope[] {
  return factsOf(role)?.throughOauth ?? [];
}

/** Whether a role administers its tenant: it may do there whatever members may, and manage what belongs to the tenant. */
export function isAdministrator(role: Role): boolean {
  return factsOf(role)?.administers === true;
}

/** Whether a role sees keys, members and usage of its tenant: administrators, and roles that the catalogue says so of. */
export function isOverseer(role: Role): boolean {
  return isAdministrator(role) || factsOf(role)?.oversees === true;
}

/** The role that administers. */
export const ADMINISTRATOR: Role = ROLES.find(isAdministrator) ?? '';

/** The same, for declarations that take several roles. */
export const ADMINISTRATORS: readonly Role[] = [ADMINISTRATOR];

/** The roles that see keys, members and usage. */
export const OVERSEERS = ROLES.filter(isOverseer);

/** The stored names of the role that administers, for queries. */
export const ADMINISTRATOR_NAMES = storedNames(ADMINISTRATOR);

/** A role in words. */
export function titleOf(role: Role): string {
  return factsOf(role)?.title ?? role;
}

/** The purpose of a role, in a sentence. */
export function sentenceOf(role: Role): string {
  return factsOf(role)?.sentence ?? 'This role left the catalogue. It allows nothing.';
}
