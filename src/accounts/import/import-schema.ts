import { z } from 'zod';

import { boundedList } from '../../http/body/bounded.js';
import { coded, faultsOf, OUR_MESSAGES, text } from '../../http/validation.js';
import { ROLES } from '../../scopes/roles.js';
import { accountChange, mirroredAccount } from '../directory/directory-schema.js';
import { HASH_FORMS, readImportedHash } from '../passwords/imported-hash.js';

const MAX_MEMBERSHIPS = 100;
const MAX_HASH = 512;
const MAX_TENANT = 255;

/** Refused by its form, or because checking it would take too long. */
const passwordHash = z
  .string()
  .max(MAX_HASH, { abort: true })
  .transform((text, context) => {
    const read = readImportedHash(text);
    if (typeof read !== 'string') return read.stored;
    context.addIssue(
      read === 'too_costly'
        ? { code: 'custom', message: 'takes longer to check than is allowed' }
        : { code: 'custom', ...coded('invalid_format', `must be ${HASH_FORMS}`) },
    );
    return z.NEVER;
  });

/** An account of another system. */
export const importedAccount = mirroredAccount.extend({
  externalId: accountChange.shape.externalId,
  /** The text that is stored, once it was read. */
  passwordHash: passwordHash.optional(),
  /** Added to those that the account has. `tenant` is an id or a slug. */
  memberships: boundedList(
    MAX_MEMBERSHIPS,
    z.strictObject({ tenant: text(MAX_TENANT), role: z.enum(ROLES) }),
  ).default([]),
});
export type ImportedAccount = z.output<typeof importedAccount>;

/** The treatment of accounts that exist: `skip` leaves them as they are. */
export const IMPORT_MODES = ['skip', 'update'] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

/** @returns the account of a line of JSON, or the reason why it is refused, which quotes no value */
export function readImportedAccount(text: string): ImportedAccount | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  const read = importedAccount.safeParse(value, OUR_MESSAGES);
  if (read.success) return read.data;
  const reasons = faultsOf(read.error).map(({ field, code, message }) =>
    code === 'unknown_member' ? 'has unknown members' : [field, message].filter(Boolean).join(': '),
  );
  return [...new Set(reasons)].join('; ');
}
