import { randomBytes } from 'node:crypto';

import { ACCESS, type NewKey, newKey, newPersonalToken } from '../../api-keys/index.js';
import { ENVIRONMENTS, type Environment, type KeyKind } from '../../credentials/kinds.js';
import type { Form } from '../../http/body/form.js';
import type { FieldError } from '../../http/errors/problem.js';
import { isScope, type Scope } from '../../scopes/catalog.js';
import { parseWith } from '../../http/validation.js';

/** A form for a new key as it was filled in. */
export interface KeyFormValues {
  /** Recognizes a form that is submitted twice. */
  readonly handle: string;
  readonly kind: KeyKind;
  readonly name: string;
  readonly environment: Environment;
  /** The access of a personal token: all reading scopes, all scopes, or those that are ticked. */
  readonly access: (typeof ACCESS)[number] | 'some';
  readonly scopes: readonly Scope[];
  readonly spaces: readonly string[];
  /** One address or network a line. */
  readonly allowedIps: string;
  readonly expires: string;
  /** With `expires` as `date`: a day, `YYYY-MM-DD`. */
  readonly expiresOn: string;
  readonly rateLimit: string;
  readonly bindings: readonly { readonly type: string; readonly id: string }[];
}

export type KeyFormErrors = Readonly<Record<string, string>>;

/** The choices for a key's lifetime. */
export const LIFETIMES = [
  { value: '30', text: '30 days' },
  { value: '90', text: '90 days' },
  { value: '365', text: 'One year' },
  { value: 'date', text: 'On a day…' },
  { value: 'never', text: 'Never' },
] as const;

const HANDLE = /^[\w-]{22}$/;
const DAY_MS = 86_400_000;
/** Rows for bindings in the form. */
export const BINDING_ROWS = 4;

export function emptyKeyForm(kind: KeyKind, environment: Environment): KeyFormValues {
  return {
    handle: newHandle(),
    kind,
    name: '',
    environment,
    access: 'read',
    scopes: [],
    spaces: [],
    allowedIps: '',
    expires: '90',
    expiresOn: '',
    rateLimit: '',
    bindings: [],
  };
}

/** Draws a handle, by which a form is recognized that is submitted twice. */
export function newHandle(): string {
  return randomBytes(16).toString('base64url');
}

/** The handle of a submitted form; another one in place of one that no form of ours sends. */
export function handleOf(form: Form): string {
  const handle = form.get('handle') ?? '';
  return HANDLE.test(handle) ? handle : newHandle();
}

/** Reads a submitted form. Values that no form of ours sends become defaults. */
export function readKeyForm(form: Form, kinds: readonly KeyKind[]): KeyFormValues {
  const text = (name: string) => (form.get(name) ?? '').slice(0, 10_000);
  const [first = 'secret'] = kinds;
  const types = form.getAll('bindingType');
  const ids = form.getAll('bindingId');
  return {
    handle: handleOf(form),
    kind: kinds.find((kind) => kind === text('kind')) ?? first,
    name: text('name'),
    environment: ENVIRONMENTS.find((name) => name === text('environment')) ?? 'live',
    access: accessOf(form.get('access')),
    scopes: [...new Set(form.getAll('scope'))].filter(isScope),
    spaces: [...new Set(form.getAll('space'))],
    allowedIps: text('allowedIps'),
    expires: LIFETIMES.find(({ value }) => value === text('expires'))?.value ?? '90',
    expiresOn: text('expiresOn'),
    rateLimit: text('rateLimit').trim(),
    bindings: ids
      .slice(0, BINDING_ROWS)
      .map((id, index) => ({ type: (types[index] ?? '').trim(), id: id.trim() }))
      .filter(({ id }) => id !== ''),
  };
}

/** Without one of the choices, only ticked scopes are given. */
function accessOf(text: string | null): KeyFormValues['access'] {
  return ACCESS.find((choice) => choice === text) ?? 'some';
}

/**
 * The request that a form stands for.
 * @param now the database's time
 * @throws Problem `validation_failed`
 */
export function requestOf(values: KeyFormValues, now: Date): NewKey {
  const { kind, name, environment, access, scopes, spaces, bindings } = values;
  const shared = {
    name,
    environment,
    allowedIps: addressesOf(values.allowedIps),
    expiresAt: expiryOf(values, now),
    spaces: spaces.length === 0 ? null : spaces,
  };
  if (kind === 'personal') {
    return parseWith(newPersonalToken, {
      ...shared,
      ...(access === 'some' ? { scopes } : { access }),
    });
  }
  return parseWith(newKey, {
    ...shared,
    kind,
    scopes,
    rateLimitPerMinute: limitOf(values.rateLimit),
    bindings: bindings.length > 0 ? bindings : null,
  });
}

/** The addresses of a text with one in each line; `null` if there are none. */
export function addressesOf(text: string): readonly string[] | null {
  const addresses = text.split(/[\s,]+/).filter((line) => line !== '');
  return addresses.length === 0 ? null : addresses;
}

/** The end of the chosen day (UTC), or that number of days from now. */
export function expiryOf(
  { expires, expiresOn }: Pick<KeyFormValues, 'expires' | 'expiresOn'>,
  now: Date,
): string | null {
  if (expires === 'never') return null;
  if (expires === 'date') return `${expiresOn}T23:59:59Z`;
  return new Date(now.getTime() + Number(expires) * DAY_MS).toISOString();
}

/** `null` for an empty text. What is not a number fails the check of the schema. */
export function limitOf(text: string): unknown {
  if (text === '') return null;
  return /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** The members of a request by the fields of the form. */
const FIELDS: Readonly<Record<string, string>> = {
  name: 'name',
  kind: 'kind',
  environment: 'environment',
  access: 'access',
  scopes: 'scopes',
  spaces: 'spaces',
  allowedIps: 'allowedIps',
  expiresAt: 'expires',
  rateLimitPerMinute: 'rateLimit',
  bindings: 'bindings',
};

const WORDS: Readonly<Record<string, string>> = {
  name: 'Give it a name of 1 to 100 characters.',
  scopes: 'Choose at least one scope that this kind of key can carry.',
  spaces: 'Choose from the listed spaces, 100 at most.',
  expires: 'Choose a day in the future.',
  rateLimit: 'Give a whole number from 0 to 1,000,000, or leave it empty.',
  bindings: 'Give the type and the id of each record. Agents only can be bound.',
};

/** One message for each field of the form, `form` for faults of none. */
export function errorsOf(faults: readonly FieldError[], values: KeyFormValues): KeyFormErrors {
  const errors: Record<string, string> = {};
  for (const { field, message } of faults) {
    const [member = '', index] = field.split('.');
    const name = FIELDS[member] ?? 'form';
    if (errors[name] !== undefined) continue;
    errors[name] =
      name === 'allowedIps'
        ? describeAddress(values, Number(index), message)
        : (WORDS[name] ?? `${field} ${message}.`);
    if (name === 'name' && message.includes('credential')) {
      errors[name] = 'A name must not contain a credential: every administrator sees it.';
    }
  }
  return errors;
}

function describeAddress({ allowedIps }: KeyFormValues, index: number, message: string): string {
  const address = addressesOf(allowedIps)?.[index];
  if (address === undefined) return `The addresses: ${message}.`;
  return `“${address.slice(0, 60)}” is not an address or a network such as 203.0.113.0/24.`;
}
