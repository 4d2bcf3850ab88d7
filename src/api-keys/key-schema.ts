import { z } from 'zod';

import { ENVIRONMENTS, factsOf, TENANT_KINDS, type KeyKind } from '../credentials/kinds.js';
import { holdsCredential } from '../credentials/index.js';
import { isId } from '../db/id.js';
import { boundedList } from '../http/body/bounded.js';
import { annotationFields } from '../http/annotations.js';
import { isAddressOrNetwork } from '../http/networks.js';
import { coded, text, timestamp } from '../http/validation.js';
import { KEY_SCOPES } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';
import { proofKey } from './proof-key.js';

const MAX_ADDRESSES = 100;
const MAX_SPACES = 100;
const MAX_BINDINGS = 100;
const MAX_RATE_LIMIT = 1_000_000;
const MAX_GRACE_SECONDS = 30 * 24 * 3600;

const annotations = annotationFields(holdsCredential);

/** Refuses an empty list, which could mean "none" and would be stored as "all". */
const isNotEmpty = (list: readonly unknown[]) => list.length > 0;

/** Shown to all managers of keys, so it must not contain a credential. */
const name = text(100).refine((value) => !holdsCredential(value), 'must not contain a credential');

/** `null`: every address. */
const allowedIps = boundedList(
  MAX_ADDRESSES,
  z
    .string()
    .trim()
    .refine(
      isAddressOrNetwork,
      coded('invalid_format', 'must be an IPv4 or IPv6 address or network (CIDR)'),
    ),
)
  .refine(
    isNotEmpty,
    coded('too_short', 'must name at least one address; null stands for any address'),
  )
  .transform((list) => [...new Set(list)])
  .nullable();

const expiresAt = timestamp().nullable();

const rateLimitPerMinute = z.number().int().min(0).max(MAX_RATE_LIMIT).nullable();

const scopes = boundedList(
  KEY_SCOPES.length,
  z.enum(KEY_SCOPES, 'is not a scope that a key can carry'),
).transform(inCatalogOrder);

/** `null`: every space. */
const spaces = boundedList(
  MAX_SPACES,
  z
    .string()
    .refine((id) => isId('spc', id), coded('invalid_format', 'must be the id of a space (spc_…)')),
)
  .refine(isNotEmpty, coded('too_short', 'must name at least one space; null stands for all'))
  .transform((list) => [...new Set(list)])
  .nullable();

/** `null`: not bound. */
const bindings = boundedList(
  MAX_BINDINGS,
  z.strictObject({
    type: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be a noun such as "contacts", in lower case'),
    id: z.string().regex(/^[\w.:-]{1,128}$/, 'must be an id'),
  }),
).nullable();

const members = {
  name,
  environment: z.enum(ENVIRONMENTS).default('live'),
  scopes: scopes.refine(isNotEmpty, coded('too_short', 'must name at least one scope')),
  allowedIps: allowedIps.default(null),
  expiresAt: expiresAt.default(null),
  rateLimitPerMinute: rateLimitPerMinute.default(null),
  spaces: spaces.default(null),
  bindings: bindings.default(null),
  ...annotations.created,
};

const keyFields = z.strictObject({
  ...members,
  kind: z
    .enum(TENANT_KINDS)
    .default('secret')
    .transform((kind): KeyKind => kind),
  /** The key of which it needs a proof with each request; `null` for none. */
  jwk: proofKey.nullable().default(null),
});
type KeyFields = z.output<typeof keyFields>;

/** Checks the members that depend on the kind. */
function checkByKind({ value, issues }: z.core.ParsePayload<KeyFields>): void {
  const { carries, takesBindings, isReadable } = factsOf(value.kind);
  const add = (path: string, code: string, message: string) =>
    issues.push({ code: 'custom', path: [path], message, params: { code }, input: value });
  for (const scope of value.scopes.filter((wanted) => !carries.includes(wanted))) {
    const message = `${scope} is not a scope that a key of kind ${value.kind} can carry`;
    add('scopes', 'invalid_enum', message);
  }
  if (value.jwk !== null && isReadable) {
    add('jwk', 'invalid_value', 'cannot be set on publishable keys, which anybody may use');
  }
  if (value.bindings === null) return;
  if (takesBindings && value.bindings.length === 0) {
    add('bindings', 'too_short', 'must name at least one thing; null stands for no binding');
  }
  if (!takesBindings && value.bindings.length > 0) {
    add('bindings', 'invalid_value', 'can be set on agents only');
  }
}

function withoutEmptyBindings<Fields extends Pick<KeyFields, 'bindings'>>(fields: Fields): Fields {
  return fields.bindings?.length === 0 ? { ...fields, bindings: null } : fields;
}

/** The body of `POST /api-keys`. */
export const newKey = keyFields.check(checkByKind).transform(withoutEmptyBindings);

/** The body of `POST /operator/api-keys`. */
export const newKeyInTenant = keyFields
  .extend({ tenantId: z.string() })
  .check(checkByKind)
  .transform(withoutEmptyBindings);

/** Values of a personal token's `access`. */
export const ACCESS = ['read', 'write'] as const;

/** A member that personal tokens do not have: absent, null or an empty list. */
const none = (message: string) =>
  z
    .unknown()
    .refine((value) => value === null || (Array.isArray(value) && value.length === 0), message)
    .transform(() => null)
    .default(null);

/** The body of `POST /personal-access-tokens`. */
export const newPersonalToken = z
  .strictObject({
    ...members,
    kind: z.literal('personal').default('personal'),
    scopes: members.scopes.optional(),
    access: z.enum(ACCESS).optional(),
    rateLimitPerMinute: z.null('has no limit of its own').default(null),
    bindings: none('personal tokens cannot be bound'),
  })
  .refine(({ access, scopes: named }) => (access === undefined) !== (named === undefined), {
    path: ['access'],
    ...coded('required', 'or scopes must be given, and not both'),
  });

/** The body of `PATCH /api-keys/:id`. Absent members are not changed. */
export const keyChange = z.strictObject({
  name: name.optional(),
  allowedIps: allowedIps.optional(),
  expiresAt: expiresAt.optional(),
  rateLimitPerMinute: rateLimitPerMinute.optional(),
  ...annotations.changed,
});

/** As `keyChange`, for personal tokens. */
export const personalTokenChange = keyChange.omit({ rateLimitPerMinute: true });

export const keyRotation = z.strictObject({
  /** Seconds for which the old key remains valid beside the new one. */
  graceSeconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).default(0),
});

export const keyRevocation = z.strictObject({ confirm: z.string().optional() });

/** A new key or personal token. A personal token may have `access` in place of scopes. */
export type NewKey = Omit<z.output<typeof newKey>, 'scopes' | 'jwk'> & {
  readonly jwk?: z.output<typeof proofKey> | null;
} & Pick<z.output<typeof newPersonalToken>, 'scopes' | 'access'>;
export type KeyChange = z.output<typeof keyChange>;
