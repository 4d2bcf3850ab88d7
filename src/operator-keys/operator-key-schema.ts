import { z } from 'zod';

import { holdsCredential } from '../credentials/index.js';
import { boundedList } from '../http/body/bounded.js';
import { isAddressOrNetwork } from '../http/networks.js';
import { coded, text } from '../http/validation.js';
import { OPERATOR_SCOPES } from './scopes.js';

const MAX_ADDRESSES = 100;
const MAX_GRACE_SECONDS = 30 * 24 * 3600;

/** Refuses an empty list, which could mean "none" and would be stored as "all". */
const isNotEmpty = (list: readonly unknown[]) => list.length > 0;

export const newOperatorKey = z.strictObject({
  name: text(100).refine((value) => !holdsCredential(value), 'must not contain a credential'),
  scopes: boundedList(
    OPERATOR_SCOPES.length,
    z.enum(OPERATOR_SCOPES, `must be among ${OPERATOR_SCOPES.join(', ')}`),
  )
    .refine(isNotEmpty, coded('too_short', 'must name at least one scope'))
    .transform((given) => OPERATOR_SCOPES.filter((scope) => given.includes(scope))),
  /** `null`: every address. */
  allowedIps: boundedList(
    MAX_ADDRESSES,
    z
      .string()
      .trim()
      .refine(
        isAddressOrNetwork,
        coded('invalid_format', 'must be an IPv4 or IPv6 address or network (CIDR)'),
      ),
  )
    .refine(isNotEmpty, coded('too_short', 'must name at least one address'))
    .transform((list) => [...new Set(list)])
    .nullable(),
  /** `null`: does not expire. */
  expiresInSeconds: z.number().int().positive().nullable(),
});
export type NewOperatorKey = z.output<typeof newOperatorKey>;

export const operatorKeyRotation = z.strictObject({
  graceSeconds: z.number().int().min(0).max(MAX_GRACE_SECONDS).default(0),
});
