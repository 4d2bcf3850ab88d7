import { z } from 'zod';

import { holdsCredential } from '../credentials/index.js';
import { boundedList } from '../http/body/bounded.js';
import { canonicalResource } from '../http/resource-uri.js';
import { parseUrl } from '../http/url.js';
import { coded, text } from '../http/validation.js';
import { SCOPES } from '../scopes/catalog.js';
import { inCatalogOrder } from '../scopes/scope-set.js';

const MAX_IDENTIFIER = 1000;
const MAX_GRACE_SECONDS = 30 * 24 * 3600;

/** An absolute URI without a fragment (RFC 8707 §2), which oidc-provider can read as a URL. */
const identifier = z
  .string()
  .max(MAX_IDENTIFIER, { abort: true })
  .refine(
    (value) => canonicalResource(value) !== undefined && parseUrl(value) !== undefined,
    coded('invalid_format', 'must be an absolute URI without a fragment'),
  );

const members = {
  /** Shown on the consent page. */
  name: text(100).refine((value) => !holdsCredential(value), 'must not contain a credential'),
  /** `null`: every scope. */
  scopes: boundedList(SCOPES.length, z.enum(SCOPES, 'is not a scope'))
    .refine(
      (list) => list.length > 0,
      coded('too_short', 'must name at least one scope; null stands for all'),
    )
    .transform(inCatalogOrder)
    .nullable(),
  acceptsKeys: z.boolean(),
  dynamicClients: z.boolean(),
};

export const newResourceServer = z.strictObject({
  identifier,
  name: members.name,
  scopes: members.scopes.default(null),
  acceptsKeys: members.acceptsKeys.default(true),
  dynamicClients: members.dynamicClients.default(true),
});
export type NewResourceServer = z.output<typeof newResourceServer>;

/** The identifier cannot change: it is the audience of tokens. */
export const resourceServerChange = z.strictObject(members).partial();
export type ResourceServerChange = z.output<typeof resourceServerChange>;

export const serverRotation = z.strictObject({
  graceSeconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).default(0),
});
