import type { StoredCredential } from '../../credentials/index.js';
import { Problem } from '../../http/errors/problem.js';
import type { ConfirmationGate } from '../account/confirmation-gate.js';
import type { OrganizationContext } from '../organization-context.js';
import type { PageAccess, SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import type { KeyDesk } from './key-desk.js';
import { errorsOf, type KeyFormValues } from './key-form.js';
import type { showKeys } from './key-list-page.js';
import type { showKey } from './key-page.js';
import { API_KEYS, MACHINE_CREDENTIALS, managersOf, type KeySection } from './key-section.js';
import type { showNewKey } from './new-key-page.js';
import type { showSecret } from './secret-page.js';

export type KeyPagesDependencies = Parameters<typeof showKeys>[0] &
  Parameters<typeof showNewKey>[0] &
  Parameters<typeof showKey>[0] &
  Parameters<typeof showSecret>[0] & {
    readonly showPage: ShowPage;
    readonly confirmationGate: ConfirmationGate;
    readonly desk: KeyDesk;
  };

/** @param access by default for those who manage keys */
export function sectionRoute(
  section: KeySection,
  method: 'GET' | 'POST',
  path: string,
  handle: (ctx: SettingsContext, at: OrganizationContext) => Promise<void>,
  access: PageAccess = { page: section.path, roles: managersOf(section) },
): SettingsRoute {
  return {
    method,
    path: section.path + path,
    access,
    handle: (ctx) => handle(ctx, ctx.state.organization),
  };
}

/** @param restore shows the submitted form again */
export function withRestore(
  route: SettingsRoute,
  restore: (ctx: SettingsContext, at: OrganizationContext) => Promise<void> | void,
): SettingsRoute {
  return { ...route, restore: (ctx) => restore(ctx, ctx.state.organization) };
}

/**
 * The key of the address.
 * @throws Problem `not_found` also if it belongs to another section
 */
export async function keyOf(
  desk: KeyDesk,
  section: KeySection,
  ctx: SettingsContext,
): Promise<StoredCredential> {
  const key = await desk.find(ctx.state.organization, ctx.params['id'] ?? '');
  if (section.kinds.includes(key.kind)) return key;
  throw new Problem('not_found', 'Key not found.');
}

/** The page of a key of the organization that belongs to another section than the address says, as links of the audit log do. */
export async function addressElsewhere(
  desk: KeyDesk,
  section: KeySection,
  at: OrganizationContext,
  id: string,
): Promise<string | undefined> {
  if (section.isOwn) return undefined;
  const { kind } = await desk.find(at, id);
  if (section.kinds.includes(kind)) return undefined;
  const other = [API_KEYS, MACHINE_CREDENTIALS].find(({ kinds }) => kinds.includes(kind));
  return other && at.href(`${other.path}/${id}`);
}

/** The page that shows the secret of a key once. */
export function secretAddress(
  section: KeySection,
  at: OrganizationContext,
  id: string,
  handle: string,
): string {
  return at.href(`${section.path}/${id}/secret`, { handle });
}

/** A refusal that the form shows. */
export function isRefusal(error: unknown): error is Problem {
  return (
    error instanceof Problem &&
    ['validation_failed', 'conflict', 'forbidden', 'rate_limited'].includes(error.code)
  );
}

/** The faults of a form by its fields. Those of none stand under `form`. */
export function faultsOf(error: Problem, values: KeyFormValues) {
  return error.errors === undefined ? { form: error.message } : errorsOf(error.errors, values);
}
