import { z } from 'zod';

import { holdsCredential } from '../../credentials/index.js';
import { annotationAnswer, annotationFields, presentAnnotations } from '../../http/annotations.js';
import { time } from '../../http/answers.js';
import { text } from '../../http/validation.js';
import { newPassword } from '../password-policy.js';
import type { ListedAccount } from './directory-store.js';

const MAX_EMAIL = 254;

const annotations = annotationFields(holdsCredential);
const email = z
  .string()
  .max(MAX_EMAIL, { abort: true })
  .trim()
  .toLowerCase()
  .pipe(z.email('must be an email address'));
const name = text(100)
  .refine((value) => !holdsCredential(value), 'must not contain a credential')
  .nullable();

/** A new account. Without a password its owner sets one by the link of a forgotten password. */
export const newAccount = z.strictObject({
  email,
  name: name.default(null),
  /** Whether the operator vouches for the address. */
  emailVerified: z.boolean().default(false),
  password: newPassword.optional(),
  ...annotations.created,
});
export type NewAccount = Omit<z.output<typeof newAccount>, 'password'>;

/** A change of an account. Absent members are not changed. */
export const accountChange = z.strictObject({
  email: email.optional(),
  name: name.optional(),
  emailVerified: z.boolean().optional(),
  ...annotations.changed,
});
export type AccountChange = z.output<typeof accountChange>;

/** An account that is created or updated by its external id. */
export const mirroredAccount = accountChange.omit({ externalId: true }).extend({ email });
export type MirroredAccount = z.output<typeof mirroredAccount>;

export const accountPassword = z.strictObject({ password: newPassword });

export const accountAnswer = z.strictObject({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  emailVerified: z.boolean(),
  createdAt: time,
  ...annotationAnswer,
});

/** Presents an account to the operator. */
export function presentAccount(account: ListedAccount) {
  const { id, email: address, name: called, emailVerifiedAt, createdAt } = account;
  return {
    id,
    email: address,
    name: called,
    emailVerified: emailVerifiedAt !== null,
    createdAt,
    ...presentAnnotations(account),
  };
}
