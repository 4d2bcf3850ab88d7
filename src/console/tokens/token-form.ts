import { singleValue, type Form } from '../../http/body/form.js';
import type { FieldError } from '../../http/errors/problem.js';
import { text } from '../../http/validation.js';
import type { TokenForm } from '../page-data.js';
import { TOKEN_ACCESS, type NewPersonalToken } from './personal-tokens.js';

/** A space of the tenant, as forms show it. */
export interface Space {
  readonly id: string;
  readonly name: string;
}

/** The form's choices for a token's lifetime. */
export const LIFETIMES = [
  { value: '30', text: '30 days', days: 30 },
  { value: '90', text: '90 days', days: 90 },
  { value: '365', text: 'One year', days: 365 },
  { value: 'never', text: 'No expiry', days: null },
] as const;

/** One message per field, for every fault of the field. */
const FAULTS = {
  name: 'Give it a name of 1 to 100 characters.',
  access: 'Choose what it may do.',
  expires: 'Choose when it expires.',
  spaces: 'Choose from the listed spaces.',
} as const;

const tokenName = text(100);

/** The initial form. */
export function emptyTokenForm(spaces: readonly Space[]): TokenForm {
  return { name: '', access: 'read', expires: '90', spaces: choices(spaces, []), errors: {} };
}

/** The submitted form, and its fields if they are valid. */
export function readTokenForm(
  form: Form,
  spaces: readonly Space[],
): { readonly form: TokenForm; readonly fields: NewPersonalToken | undefined } {
  const typed = singleValue(form, 'name') ?? '';
  const expires = singleValue(form, 'expires') ?? '';
  const ticked = form.getAll('space');

  const name = tokenName.safeParse(typed).data;
  const access = TOKEN_ACCESS.find((choice) => choice === singleValue(form, 'access'));
  const lifetime = LIFETIMES.find(({ value }) => value === expires);
  const areKnown = ticked.every((id) => spaces.some((space) => space.id === id));
  const errors = {
    ...(name === undefined && { name: FAULTS.name }),
    ...(access === undefined && { access: FAULTS.access }),
    ...(lifetime === undefined && { expires: FAULTS.expires }),
    ...(!areKnown && { spaces: FAULTS.spaces }),
  };
  const isGood = name !== undefined && access !== undefined && lifetime !== undefined && areKnown;
  return {
    form: { name: typed, access, expires, spaces: choices(spaces, ticked), errors },
    fields: isGood
      ? {
          name,
          access,
          expiresInDays: lifetime.days,
          spaces: ticked.length === 0 ? null : [...new Set(ticked)],
        }
      : undefined,
  };
}

/** The form with the faults that the service found. */
export function withFaults(form: TokenForm, faults: readonly FieldError[]): TokenForm {
  const errors = Object.fromEntries(
    faults.map(({ field, message }) => {
      const [member = ''] = field.replace('expiresAt', 'expires').split('.');
      return isField(member) ? [member, FAULTS[member]] : ['form', `${field}: ${message}.`];
    }),
  );
  return { ...form, errors };
}

function isField(name: string): name is keyof typeof FAULTS {
  return Object.hasOwn(FAULTS, name);
}

/** The choice of spaces; empty for a tenant with one space. */
function choices(spaces: readonly Space[], ticked: readonly string[]): TokenForm['spaces'] {
  if (spaces.length < 2) return [];
  return spaces.map(({ id, name }) => ({ id, name, isTicked: ticked.includes(id) }));
}
