import { holdsCredential } from '../credentials/index.js';
import { text } from '../http/validation.js';

const MAX_LENGTH = 500;

/** The reason for an end, as the audit log keeps it. Administrators of the tenant read it. */
export const reason = text(MAX_LENGTH)
  .refine((value) => !holdsCredential(value), 'must not contain a credential')
  .nullable()
  .default(null);
