import { z } from 'zod';

import { Problem, type FieldError } from './problem.js';

/** More would help nobody, and answering must not cost more than asking. */
const MAX_ERRORS = 50;

/**
 * Text that the database can hold: well-formed Unicode without NUL, trimmed, of 1 to `max`
 * characters.
 */
export function text(max: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine(
      (value) => value.isWellFormed() && !value.includes('\0'),
      'holds characters that are not allowed',
    );
}

/** A member that can be left out: it is `null` then. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullable().default(null);
}

/**
 * Checks a value from outside.
 *
 * @returns the value as the schema makes it
 * @throws Problem `validation_failed` that names every invalid member
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues
    .slice(0, MAX_ERRORS)
    .flatMap(toFieldErrors)
    .slice(0, MAX_ERRORS);
  throw new Problem(
    'validation_failed',
    `Invalid: ${errors.map(({ field }) => field || 'body').join(', ')}.`,
    { errors },
  );
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, MAX_ERRORS).map((key) => ({
      field: [...issue.path, key].join('.'),
      code: 'unknown_member',
      message: 'is not a member that is known here',
    }));
  }
  const code = issue.code === 'custom' ? 'invalid_value' : issue.code;
  return [{ field, code, message: issue.message }];
}
