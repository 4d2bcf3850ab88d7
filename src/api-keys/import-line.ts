import { z } from 'zod';

import { type DeclaredForms, KEY_LENGTH } from '../credentials/index.js';
import { factsOf, type KeyKind } from '../credentials/kinds.js';
import { faultsOf, OUR_MESSAGES } from '../http/validation.js';
import { newKey, type NewKey } from './key-schema.js';

/** A refused line. The reason names members and never quotes their values. */
export interface RefusedLine {
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
}

/** Kinds that can be imported: neither readable ones, nor ones that create keys. */
const isImportable = (kind: KeyKind) => !factsOf(kind).isReadable && !factsOf(kind).grantableScopes;

const header = z.looseObject({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, 'must be a SHA-256 in 64 hexadecimal digits')
    .transform((digest) => digest.toLowerCase()),
  prefix: z.string().optional(),
  pattern: z.string().optional(),
  hint: z
    .string()
    .regex(/^[\x21-\x7e]{4}$/, 'must be the last four characters of the key')
    .nullish(),
  length: z
    .number()
    .int()
    .min(
      KEY_LENGTH.min,
      `is below ${KEY_LENGTH.min}: keys this short can be guessed, and are never accepted`,
    )
    .max(KEY_LENGTH.max, `is above ${KEY_LENGTH.max}: keys this long are never accepted`)
    .nullish(),
});

/** A key as described by a line of an import. */
export interface ImportedKey {
  readonly line: number;
  readonly sha256: string;
  /** One of the two is `null`. */
  readonly prefix: string | null;
  readonly pattern: string | null;
  readonly hint: string | null;
  readonly fields: NewKey;
}

/** Parses a line of an import. @param forms the declared prefixes and patterns */
export function readLine(
  text: string,
  line: number,
  forms: DeclaredForms,
): ImportedKey | RefusedLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { line, reason: 'not JSON' };
  }
  const head = header.safeParse(value, OUR_MESSAGES);
  if (!head.success) return { line, reason: reasonOf(head.error) };
  const { sha256, prefix, pattern, hint = null, length: _length, ...rest } = head.data;
  const form = formOf(forms, prefix, pattern);
  if (typeof form === 'string') return { line, reason: form };
  const declared = forms.patterns.find(({ name }) => name === form.pattern);
  if (hint !== null && declared?.mayEndIn(hint) === false) {
    return { line, reason: `hint: a key of the form ${declared.name} does not end so` };
  }
  const fields = newKey.safeParse(rest, OUR_MESSAGES);
  if (!fields.success) return { line, reason: reasonOf(fields.error) };
  if (!isImportable(fields.data.kind)) {
    return { line, reason: `kind: ${fields.data.kind} keys are made here` };
  }
  return { line, sha256, ...form, hint, fields: fields.data };
}

/** @returns the declared form that a line names, or the reason why it names none */
function formOf(
  { prefixes, patterns }: DeclaredForms,
  prefix: string | undefined,
  pattern: string | undefined,
): Pick<ImportedKey, 'prefix' | 'pattern'> | string {
  if (prefix !== undefined && pattern !== undefined) return 'pattern: is given beside a prefix';
  if (prefix !== undefined) {
    return prefixes.includes(prefix) ? { prefix, pattern: null } : 'prefix: was not declared';
  }
  if (pattern !== undefined) {
    const isDeclared = patterns.some(({ name }) => name === pattern);
    return isDeclared ? { prefix: null, pattern } : 'pattern: was not declared';
  }
  const [first] = prefixes;
  return first === undefined
    ? { prefix: null, pattern: patterns[0]?.name ?? null }
    : { prefix: first, pattern: null };
}

function reasonOf(error: z.ZodError): string {
  const reasons = faultsOf(error).map(({ field, code, message }) =>
    code === 'unknown_member' ? 'has unknown members' : [field, message].filter(Boolean).join(': '),
  );
  return [...new Set(reasons)].join('; ');
}
