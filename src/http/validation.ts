import { z } from 'zod';

import { nearestTo } from './errors/nearest.js';
import { Problem, type FieldError } from './errors/problem.js';
import { isPlainText, isSingleLine } from './body/text.js';

/** Bounds the answer, which must not cost more than the request. */
const MAX_ERRORS = 50;
/** Errors in the detail. The member `errors` has all of them. */
const IN_DETAIL = 3;
const MAX_FIELD_LENGTH = 100;
/** Errors for which the nearest known value is searched, which is expensive. */
const MAX_NEAREST = 3;
/** Longer lists of values are not in the message. */
const MAX_LISTED = 12;

/** Options of a custom check: its message and the code of its error. */
export function coded(code: string, message: string) {
  return { message, params: { code } };
}

/** Texts are trimmed, so more characters may be sent than are kept. */
const SENT_PER_KEPT = 2;

/** Aborts for a text that is too long, so that no later check runs on it. */
const checkedText = (max: number, isAllowed: (value: string) => boolean) =>
  z
    .string()
    .max(max * SENT_PER_KEPT, {
      error: `must have at most ${counted(max, 'character')}`,
      abort: true,
    })
    .refine(
      isAllowed,
      coded(
        'invalid_format',
        'must not hold control characters, direction characters or lone surrogates',
      ),
    )
    .trim()
    .min(1)
    .max(max, { abort: true });

/** Text on one line, trimmed, of 1 to `max` characters; without control and direction characters. */
export function text(max: number) {
  return checkedText(max, isSingleLine);
}

/** As `text`, but it may have several lines. */
export function textOfLines(max: number) {
  return checkedText(max, isPlainText);
}

const [FIRST_YEAR, LAST_YEAR] = [1970, 9999];

/** A time (RFC 3339 with an offset) in the years 1970 to 9999 UTC. */
export function timestamp() {
  return z.iso
    .datetime({ offset: true, error: 'must be a time such as 2030-01-31T12:00:00Z', abort: true })
    .transform((value) => new Date(value))
    .refine(
      (time) => time.getUTCFullYear() >= FIRST_YEAR && time.getUTCFullYear() <= LAST_YEAR,
      coded('invalid_format', `must lie in the years ${FIRST_YEAR} to ${LAST_YEAR}, in UTC`),
    );
}

/** A member that can be omitted. Its value is `null` then. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullable().default(null);
}

/**
 * Parses untrusted input.
 *
 * @returns the output of the schema
 * @throws Problem `validation_failed` that names every invalid member
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value, { error: messageOf, reportInput: true });
  if (result.success) return result.data;
  throw invalid(faultsOf(result.error));
}

/** The field errors of a value, with this project's messages. */
export function faultsOf(error: z.ZodError): readonly FieldError[] {
  return error.issues
    .slice(0, MAX_ERRORS)
    .flatMap((issue, index) => toFieldErrors(issue, index < MAX_NEAREST))
    .slice(0, MAX_ERRORS);
}

/** Parse options that give this project's messages, for schemas that are used without `parseWith`. */
export const OUR_MESSAGES = { error: messageOf, reportInput: true } as const;

/** The problem for invalid members of a request. Its detail lists the first ones. */
export function invalid(errors: readonly FieldError[]): Problem {
  const spelt = errors
    .slice(0, IN_DETAIL)
    .map(({ field, message }) => `${field || 'the body'} ${message}`);
  const more = errors.length > IN_DETAIL ? `; and ${errors.length - IN_DETAIL} more` : '';
  const detail = `Invalid: ${spelt.join('; ')}${more}`;
  return new Problem('validation_failed', detail.endsWith('?') ? detail : `${detail}.`, { errors });
}

function toFieldErrors(issue: z.core.$ZodIssue, namesNearest: boolean): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, MAX_ERRORS).map((key) => ({
      field: fieldOf([...issue.path, key]),
      code: 'unknown_member',
      message: 'is not a member that is known here',
    }));
  }
  const field = fieldOf(issue.path);
  if (isMissing(issue)) return [{ field, code: 'required', message: 'is required' }];
  const code = codeOf(issue);
  const near = namesNearest && issue.code === 'invalid_value' ? nearestOf(issue) : undefined;
  const message = near === undefined ? issue.message : `${issue.message}: did you mean ${near}?`;
  return [{ field, code, message }];
}

function fieldOf(path: readonly PropertyKey[]): string {
  const field = path.map(String).join('.');
  return field.length > MAX_FIELD_LENGTH ? `${field.slice(0, MAX_FIELD_LENGTH)}…` : field;
}

/** Whether a member of a body or query is missing. */
function isMissing({ code, path, input }: z.core.$ZodIssue): boolean {
  const isOfType = code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union';
  return isOfType && path.length > 0 && input === undefined;
}

function codeOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom') {
    const code: unknown = issue.params?.['code'];
    return typeof code === 'string' ? code : 'invalid_value';
  }
  if (issue.code === 'too_big') return isCounted(issue.origin) ? 'too_long' : 'too_big';
  if (issue.code === 'too_small') return isCounted(issue.origin) ? 'too_short' : 'too_small';
  if (issue.code === 'invalid_value') return 'invalid_enum';
  return issue.code === 'invalid_union' ? 'invalid_type' : issue.code;
}

function nearestOf({ input, values }: z.core.$ZodIssueInvalidValue): string | undefined {
  return nearestTo(input, values.map(String));
}

const isCounted = (origin: string) => origin === 'string' || origin === 'array';

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
};

const FORMATS: Readonly<Record<string, string>> = {
  email: 'must be an email address',
  url: 'must be a URL',
};

/** Replaces the messages of the validation library where a schema has no message of its own. */
function messageOf(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_type') return `must be ${TYPES[issue.expected] ?? 'of another type'}`;
  if (issue.code === 'invalid_value') return choiceOf(issue.values.map(String));
  if (issue.code === 'too_big') return boundOf(issue.origin, issue.maximum, 'at most');
  if (issue.code === 'too_small') return boundOf(issue.origin, issue.minimum, 'at least');
  if (issue.code === 'invalid_format') return FORMATS[issue.format] ?? 'has the wrong form';
  return 'is not valid';
}

function choiceOf(values: readonly string[]): string {
  if (values.length > MAX_LISTED) return 'is not one of the values that are known here';
  return values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`;
}

function boundOf(origin: string, bound: number | bigint, relation: string): string {
  if (origin === 'string') return `must have ${relation} ${counted(bound, 'character')}`;
  if (origin === 'array') return `must have ${relation} ${counted(bound, 'entry', 'entries')}`;
  return `must be ${relation} ${bound}`;
}

function counted(count: number | bigint, one: string, several = `${one}s`): string {
  return `${count} ${Number(count) === 1 ? one : several}`;
}
