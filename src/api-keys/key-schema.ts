import { z } from 'zod';

import { ENVIRONMENTS } from '../credentials/kinds.js';
import { isAddressOrNetwork } from '../http/networks.js';
import { text } from '../http/validation.js';
import { KEY_SCOPES } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';

const MAX_ADDRESSES = 100;
const MAX_RATE_LIMIT = 1_000_000;
const MAX_GRACE_SECONDS = 30 * 24 * 3600;

/** A list whose length is judged before its items: a long one of nonsense must not cost much. */
const atMost = <Item extends z.ZodType>(length: number, item: Item) =>
  z.array(z.unknown()).max(length).pipe(z.array(item));

const name = text(100);

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

const notYet = z
  .null('is not supported by this version')
  .or(z.array(z.never('is not supported by this version')).transform(() => null))
  .optional();

/** What `POST /api-keys` takes. Members that this version does not support are refused. */
export const newKey = z.strictObject({
  name,
  kind: z
    .literal('secret', 'must be "secret": other kinds are not supported by this version')
    .default('secret'),
  environment: z.enum(ENVIRONMENTS).default('live'),
  scopes: atMost(KEY_SCOPES.length, z.enum(KEY_SCOPES, 'is not a scope that a key can carry'))
    .refine((scopes) => scopes.length > 0, 'must name at least one scope')
    .transform(inCatalogOrder),
  allowedIps: allowedIps.default(null),
  expiresAt: expiresAt.default(null),
  rateLimitPerMinute: rateLimitPerMinute.default(null),
  spaces: notYet,
  bindings: notYet,
});

/** What `PATCH /api-keys/:id` takes; what is absent stays as it is. */
export const keyChange = z.strictObject({
  name: name.optional(),
  allowedIps: allowedIps.optional(),
  expiresAt: expiresAt.optional(),
  rateLimitPerMinute: rateLimitPerMinute.optional(),
});

export const keyRotation = z.strictObject({
  /** How long the old key goes on working beside the new one. */
  graceSeconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).default(0),
});

export const keyRevocation = z.strictObject({ confirm: z.string().optional() });

export type NewKey = Omit<z.output<typeof newKey>, 'spaces' | 'bindings'>;
export type KeyChange = z.output<typeof keyChange>;
