import type { SettingsRoute } from '../settings-gate.js';
import type { ConfirmationGate } from './confirmation-gate.js';
import { CONFIRM } from './paths.js';

/** `/settings/confirm`: continues with a form after a confirmation at a provider. */
export function createConfirmPages({
  confirmationGate,
}: {
  readonly confirmationGate: ConfirmationGate;
}): SettingsRoute[] {
  const access = { page: '/settings/profile' } as const;
  return [{ method: 'GET', path: CONFIRM, access, handle: (ctx) => confirmationGate.resume(ctx) }];
}
