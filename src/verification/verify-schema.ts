import { z } from 'zod';

import { boundedList } from '../http/body/bounded.js';
import { isAddress } from '../http/networks.js';
import { coded } from '../http/validation.js';
import { SCOPES } from '../scopes/catalog.js';

const MAX_CREDENTIALS = 256;
const MAX_COST = 10_000;
const MAX_CREDENTIAL = 4096;
const MAX_PROOF = 8192;
const MAX_URL = 2048;

/** The ways in which a service received a credential. A key in a URL is `query`. */
const PRESENTATIONS = ['bearer', 'dpop', 'token', 'x-api-key', 'brand-header', 'query'] as const;

const name = z.string().min(1).max(128);

/** One credential, and the request that presented it. */
const question = z.strictObject({
  credential: z.string().min(1).max(MAX_CREDENTIAL),
  presentation: z.enum(PRESENTATIONS).default('bearer'),
  method: z
    .string()
    .regex(/^[A-Z-]{1,32}$/, 'must be a method in capitals, such as GET')
    .default('GET'),
  /** Without it, allow-lists are not judged. */
  address: z
    .string()
    .refine(isAddress, coded('invalid_format', 'must be an IPv4 or IPv6 address, without a port'))
    .optional(),
  scopes: boundedList(SCOPES.length, z.enum(SCOPES, 'is not a scope')).default([]),
  space: name.optional(),
  resource: z.strictObject({ type: name, id: name }).optional(),
  /** The proof of possession of a bound credential (RFC 9449), and the URL that it was sent to. */
  dpop: z
    .strictObject({ proof: z.string().min(1).max(MAX_PROOF), url: z.url().max(MAX_URL) })
    .optional(),
  cost: z.number().int().min(0).max(MAX_COST).default(1),
});
export type VerifyQuestion = z.output<typeof question>;

export const verifyRequest = z.strictObject({
  credentials: boundedList(MAX_CREDENTIALS, question).refine(
    (list) => list.length > 0,
    coded('too_short', 'must hold at least one credential'),
  ),
});
