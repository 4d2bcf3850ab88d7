import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

import { errorCode } from '../db/errors.js';
import { Problem } from './errors/problem.js';
import { coded, text } from './validation.js';

/** The identity and facts that the operator's other systems give to a tenant, account, space or key. */
export interface Annotations {
  readonly externalId: string | null;
  readonly metadata: object;
}

/** A change of them. Absent members are not changed. */
export interface AnnotationChange {
  readonly externalId?: string | null | undefined;
  readonly metadata?: object | undefined;
}

const MAX_ID = 255;
const MAX_METADATA_BYTES = 4096;
const MAX_DEPTH = 5;
const MAX_EXPONENT = 30;
const MAX_FILTERS = 5;
const MAX_FILTER_VALUE = 500;
const UNIQUE_VIOLATION = '23505';

/** Printable ASCII without blanks at its ends, so that it fits into headers and URLs, and two ids never look the same. */
export const externalId = z
  .string()
  .max(MAX_ID, { abort: true })
  .regex(
    /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
    `must be 1 to ${MAX_ID} printable ASCII characters, without blanks at its ends`,
  );

/**
 * Any JSON object of up to 4 KB. The operator's systems choose its members. It is not a `z.record`, which would drop a
 * member `__proto__` in silence.
 */
const metadata = z
  .custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    coded('invalid_type', 'must be an object'),
  )
  .superRefine((value, context) => {
    const add = (code: string, message: string) =>
      context.addIssue({ code: 'custom', continue: false, ...coded(code, message) });
    if (!isStorable(value, MAX_DEPTH)) {
      const limits = `nest deeper than ${MAX_DEPTH}, nor have numbers beyond 1e±${MAX_EXPONENT}`;
      const texts = 'NUL, lone surrogates or a member __proto__';
      add('invalid_format', `must not ${limits}, nor hold ${texts}`);
    } else if (Buffer.byteLength(JSON.stringify(value)) > MAX_METADATA_BYTES) {
      add('too_long', `must have at most ${MAX_METADATA_BYTES} bytes as JSON`);
    }
  })
  .meta({ type: 'object', additionalProperties: {} });

/**
 * The members of requests.
 * @param holdsSecret whether a text contains a credential. Such texts are refused, since all managers see these members
 */
export function annotationFields(holdsSecret: (text: string) => boolean) {
  const fault = 'must not contain a credential';
  const id = externalId.refine((value) => !holdsSecret(value), fault).nullable();
  const members = metadata.refine((value) => !holdsSecret(JSON.stringify(value)), fault);
  return {
    /** A new tenant, account, space or key. */
    created: { externalId: id.default(null), metadata: members.default({}) },
    /** A change. `metadata` replaces the former object. */
    changed: { externalId: id.optional(), metadata: members.optional() },
  };
}

/** The members of an answer. */
export const annotationAnswer = {
  externalId: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
};

/** Any text, with its blanks, that PostgreSQL can compare. */
const filterValue = z
  .string()
  .max(MAX_FILTER_VALUE)
  .refine((value) => !value.includes('\0'), coded('invalid_format', 'must not hold NUL'));

/** The parameters of a list: `?externalId=…` and `?metadata[plan]=pro`. */
export const annotationQuery = {
  externalId: text(MAX_ID).optional(),
  metadata: z
    .record(z.string(), filterValue)
    .refine(
      (members) => Object.keys(members).length <= MAX_FILTERS,
      coded('too_long', `can be filtered by at most ${MAX_FILTERS} members`),
    )
    .optional(),
};

/** A filter of a list. */
export interface AnnotationFilter {
  readonly externalId?: string | undefined;
  /** Members at the top of the metadata: a text, or a number, true or false written as text. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Columns of a row. */
export interface AnnotationColumns {
  readonly externalId: string | null;
  readonly metadata: object | null;
}

/** The members as they are answered. */
export function presentAnnotations(row: AnnotationColumns): Annotations {
  return { externalId: row.externalId, metadata: row.metadata ?? {} };
}

/**
 * The members that a change gives another value, before and after.
 * @returns `undefined` if there are none
 */
export function changesOf(
  row: AnnotationColumns,
  change: AnnotationChange,
): { readonly before: AnnotationChange; readonly after: AnnotationChange } | undefined {
  const present = presentAnnotations(row);
  const names = (['externalId', 'metadata'] as const).filter(
    (name) => change[name] !== undefined && !isDeepStrictEqual(change[name], present[name]),
  );
  if (names.length === 0) return undefined;
  const pick = (values: AnnotationChange): AnnotationChange =>
    Object.fromEntries(names.map((name) => [name, values[name]]));
  return { before: pick(present), after: pick(change) };
}

/** Metadata as it is stored: NULL for none, so that partial indexes hold the rows that have any. */
export function storedMetadata(value: object): object | null {
  return Object.keys(value).length === 0 ? null : value;
}

/**
 * Runs a statement that sets an external id.
 * @param others messages for other unique constraints that the statement can violate, by their names
 * @throws Problem `conflict` if another one of its kind has it, or has one of the others
 */
export async function withFreeExternalId<Result>(
  noun: string,
  id: string | null | undefined,
  write: () => Promise<Result>,
  others: Readonly<Record<string, string>> = {},
): Promise<Result> {
  try {
    return await write();
  } catch (error) {
    const violated = violatedBy(error);
    if (violated?.endsWith('_external_id_key') === true) {
      throw new Problem('conflict', `Another ${noun} has the external id ${id}.`);
    }
    const message = others[violated ?? ''];
    if (message === undefined) throw error;
    throw new Problem('conflict', message);
  }
}

/** The unique constraint that an error is the violation of. */
function violatedBy(error: unknown): string | undefined {
  if (errorCode(error) !== UNIQUE_VIOLATION) return undefined;
  const { constraint } = error as { readonly constraint?: unknown };
  return typeof constraint === 'string' ? constraint : undefined;
}

/** The names of the filters for cursors, which belong to one list. */
export function namesOfFilter({ externalId: id, metadata: members }: AnnotationFilter) {
  return [
    ...(id === undefined ? [] : [`externalId=${id}`]),
    ...Object.entries(members ?? {}).map(([name, value]) => `metadata[${name}]=${value}`),
  ];
}

/**
 * The SQL conditions of a filter. All metadata is one condition, so that an index looks for the rows that have all members:
 * one of them alone can be common.
 *
 * @param parameter adds a value and returns its placeholder
 * @param columns SQL for the columns. `below` wraps the wanted members, as an index on an expression needs
 */
export function conditionsOf(
  { externalId: id, metadata: members }: AnnotationFilter,
  parameter: (value: string | readonly string[]) => string,
  columns: {
    readonly externalId: string;
    readonly metadata: string;
    readonly below?: (members: object) => object;
  },
): readonly string[] {
  const { below = (wanted) => wanted } = columns;
  const conditions = id === undefined ? [] : [`${columns.externalId} = ${parameter(id)}`];
  if (members !== undefined) {
    const wanted = readingsOf(members).map((reading) => JSON.stringify(below(reading)));
    conditions.push(`${columns.metadata} @> ANY (${parameter(wanted)}::jsonb[])`);
  }
  return conditions;
}

/** The objects that the members of a filter stand for, 32 at most: each value is a text or one scalar. */
function readingsOf(members: Readonly<Record<string, string>>): readonly object[] {
  return Object.entries(members).reduce<readonly object[]>(
    (readings, [name, text]) => {
      const values = new Set([text, scalarOf(text)]);
      return readings.flatMap((reading) =>
        [...values].map((value) => ({ ...reading, [name]: value })),
      );
    },
    [{}],
  );
}

/** The number, true, false or null that a text spells; else the text. */
function scalarOf(text: string): unknown {
  if (!/^(?:true|false|null|-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?)$/.test(text)) return text;
  return JSON.parse(text) as unknown;
}

/**
 * Whether PostgreSQL can store it as jsonb, where it is as long as it was sent: `1e308` is written out there. Bounded, since
 * `JSON.stringify` is not by itself.
 */
function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value === 'number') return value === 0 || isWithinExponents(Math.abs(value));
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  return Object.entries(value).every(
    ([name, member]) =>
      name !== '__proto__' && isStorable(name, 0) && isStorable(member, depth - 1),
  );
}

const isWithinExponents = (size: number) =>
  size >= 10 ** -MAX_EXPONENT && size <= 10 ** MAX_EXPONENT;
