import { keyChange, type KeyChange, personalTokenChange } from '../../api-keys/index.js';
import type { StoredCredential } from '../../credentials/index.js';
import { parseWith } from '../../http/validation.js';
import { addressesOf, expiryOf, limitOf } from './key-form.js';

/** Values typed into the form that changes a key. */
export type KeyEdit = ReturnType<typeof readEdit>;

export function readEdit(form: URLSearchParams) {
  const text = (name: string) => (form.get(name) ?? '').slice(0, 10_000);
  return {
    name: text('name'),
    allowedIps: text('allowedIps'),
    expires: text('expires'),
    expiresOn: text('expiresOn'),
    rateLimit: text('rateLimit').trim(),
  };
}

/**
 * The members that a form changes. An expiry on the day of the present one is left as it is.
 * @throws Problem `validation_failed`
 */
export function changeOf(key: StoredCredential, edit: KeyEdit, now: Date): KeyChange {
  const isSameDay =
    edit.expires === 'date' && edit.expiresOn === key.expiresAt?.toISOString().slice(0, 10);
  const isStillNever = edit.expires === 'never' && key.expiresAt === null;
  const change = {
    name: edit.name,
    allowedIps: addressesOf(edit.allowedIps),
    ...(!isSameDay && !isStillNever && { expiresAt: expiryOf(edit, now) }),
  };
  if (key.kind === 'personal') return parseWith(personalTokenChange, change);
  return parseWith(keyChange, { ...change, rateLimitPerMinute: limitOf(edit.rateLimit) });
}
