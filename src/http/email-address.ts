import { z } from 'zod';

/** RFC 5321 §4.5.3.1.3: a path has 256 octets, brackets included. */
const MAX_EMAIL = 254;

const tooLong = `must have at most ${MAX_EMAIL} characters`;

/** An email address that mail can be sent to, in the form in which it is stored. */
export const emailAddress = z
  .string()
  .max(MAX_EMAIL * 2, { error: tooLong, abort: true })
  .trim()
  .toLowerCase()
  .max(MAX_EMAIL, { error: tooLong, abort: true })
  .pipe(z.email('must be an email address'));
