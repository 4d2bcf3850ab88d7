import { z } from 'zod';

import { ENVIRONMENTS, factsOf, TENANT_KINDS, type KeyKind } from '../credentials/kinds.js';
import { holdsCredential } from '../credentials/secret-format.js';
import { isId } from '../db/id.js';
import { isAddressOrNetwork } from '../http/networks.js';
import { text } from '../http/validation.js';
import { KEY_SCOPES } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';

const MAX_ADDRESSES = 100;
const MAX_SPACES = 100;
const MAX_BINDINGS = 100;
const MAX_RATE_LIMIT = 1_000_000;
const MAX_GRACE_SECONDS = 30 * 24 * 3600;

/** A list whose length is judged before its items: a long one of nonsense must not cost much. */
const atMost = <Item extends z.ZodType>(length: number, item: Item) =>
  z.array(z.unknown()).max(length).pipe(z.array(item));

/** It is kept as it is, and shown to whoever manages keys. */
const name = text(100).refine((value) => !holdsCredential(value), 'must not hold a credential');

/** `null` and an empty list both say: from anywhere. */
const allowedIps = atMost(
  MAX_ADDRESSES,
  z.string().trim().refine(isAddressOrNetwork, 'must be an IPv4 or IPv6 address or network (CIDR)'),
)
  .nullable()
  .transform((list) => (list === null || list.length === 0 ? null : [...new Set(list)]));

const expiresAt = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2030-01-31T12:00:00Z' })
  .transform((value) => new Date(value))
  .nullable();

const rateLimitPerMinute = z.number().int().min(0).max(MAX_RATE_LIMIT).nullable();

const scopes = atMost(
  KEY_SCOPES.length,
  z.enum(KEY_SCOPES, 'is not a scope that a key can carry'),
).transform(inCatalogOrder);

/** `null`: every space. An empty list is refused: it could be meant as none, and would be taken for all. */
const spaces = atMost(
  MAX_SPACES,
  z.string().refine((id) => isId('spc', id), 'must be the id of a space (spc_…)'),
)
  .refine((list) => list.length > 0, 'must name at least one space; null stands for all')
  .transform((list) => [...new Set(list)])
  .nullable();

/** `null` and an empty list both say: to nothing in particular. */
const bindings = atMost(
  MAX_BINDINGS,
  z.strictObject({
    type: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be a noun such as "contacts"'),
    id: z.string().regex(/^[\w.:-]{1,128}$/, 'must be an id'),
  }),
)
  .nullable()
  .transform((list) => (list === null || list.length === 0 ? null : list));

const members = {
  name,
  environment: z.enum(ENVIRONMENTS).default('live'),
  scopes: scopes.refine((list) => list.length > 0, 'must name at least one scope'),
  allowedIps: allowedIps.default(null),
  expiresAt: expiresAt.default(null),
  rateLimitPerMinute: rateLimitPerMinute.default(null),
  spaces: spaces.default(null),
  bindings: bindings.default(null),
};

/** What `POST /api-keys` takes. */
export const newKey = z
  .strictObject({
    ...members,
    kind: z
      .enum(TENANT_KINDS, `must be one of ${TENANT_KINDS.join(', ')}`)
      .default('secret')
      .transform((kind): KeyKind => kind),
  })
  .check(({ value, issues }) => {
    const { carries, takesBindings } = factsOf(value.kind);
    const message = `is not a scope that a key of kind ${value.kind} can carry`;
    value.scopes
      .filter((scope) => !carries.includes(scope))
      .forEach((scope) =>
        issues.push({
          code: 'custom',
          path: ['scopes'],
          message: `${scope} ${message}`,
          input: scope,
        }),
      );
    if (value.bindings !== null && !takesBindings) {
      const message = 'only agents can be bound';
      issues.push({ code: 'custom', path: ['bindings'], message, input: value.bindings });
    }
  });

/** What a personal token's `access` stands for. */
const ACCESS = ['read', 'write'] as const;

const none = (message: string) =>
  z
    .null(message)
    .or(z.array(z.never(message)).transform(() => null))
    .default(null);

/** What `POST /personal-access-tokens` takes. */
export const newPersonalToken = z
  .strictObject({
    ...members,
    kind: z.literal('personal', 'must be "personal"').default('personal'),
    scopes: members.scopes.optional(),
    access: z.enum(ACCESS).optional(),
    rateLimitPerMinute: z.null('has no limit of its own').default(null),
    bindings: none('personal tokens cannot be bound'),
  })
  .refine(({ access, scopes: named }) => (access === undefined) !== (named === undefined), {
    path: ['access'],
    error: 'either access (read or write) or scopes must be given',
  });

/** What `PATCH /api-keys/:id` takes; what is absent stays as it is. */
export const keyChange = z.strictObject({
  name: name.optional(),
  allowedIps: allowedIps.optional(),
  expiresAt: expiresAt.optional(),
  rateLimitPerMinute: rateLimitPerMinute.optional(),
});

/** As `keyChange`, for personal tokens. */
export const personalTokenChange = keyChange.omit({ rateLimitPerMinute: true });

export const keyRotation = z.strictObject({
  /** How long the old key goes on working beside the new one. */
  graceSeconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).default(0),
});

export const keyRevocation = z.strictObject({ confirm: z.string().optional() });

/** A new key or personal token; of a personal one, `access` may stand in for the scopes. */
export type NewKey = Omit<z.output<typeof newKey>, 'scopes'> &
  Pick<z.output<typeof newPersonalToken>, 'scopes' | 'access'>;
export type KeyChange = z.output<typeof keyChange>;
