import { z } from 'zod';

import {
  ANY_PRINCIPAL,
  presentedExchange,
  presentedKey,
  presentedToken,
} from '../credentials/index.js';
import { PRINCIPAL_KINDS } from '../credentials/kinds.js';
import { time } from '../http/answers.js';
import { boundedList } from '../http/body/bounded.js';
import { PROBLEMS } from '../http/errors/problem.js';
import { isAddress } from '../http/networks.js';
import { coded } from '../http/validation.js';
import { usageAnswer } from '../rate-limits/index.js';
import { SCOPES } from '../scopes/catalog.js';

/** The bounds of a body. */
export const LIMITS = { credentials: 256, credential: 4096, cost: 10_000 } as const;
/** A method in capitals. */
export const METHOD = /^[A-Z-]{1,32}$/;

const MAX_PROOF = 8192;
const MAX_URL = 2048;

/** The ways in which a service received a credential. A key in a URL is `query`. */
export const PRESENTATIONS = [
  'bearer',
  'dpop',
  'token',
  'x-api-key',
  'brand-header',
  'query',
] as const;

const name = z.string().min(1).max(128);

/** One credential, and the request that presented it. */
const question = z.strictObject({
  credential: z.string().min(1).max(LIMITS.credential),
  presentation: z.enum(PRESENTATIONS).default('bearer'),
  /** The publishable key that came beside a user's token, in `X-API-Key`. */
  publishableKey: z.string().min(1).max(LIMITS.credential).optional(),
  method: z.string().regex(METHOD, 'must be a method in capitals, such as GET').default('GET'),
  /** Without it, allow-lists are not judged. */
  address: z
    .string()
    .refine(isAddress, coded('invalid_format', 'must be an IPv4 or IPv6 address, without a port'))
    .optional(),
  scopes: boundedList(SCOPES.length, z.enum(SCOPES, 'is not a scope')).default([]),
  principals: boundedList(PRINCIPAL_KINDS.length, z.enum(PRINCIPAL_KINDS)).default([
    ...ANY_PRINCIPAL,
  ]),
  space: name.optional(),
  resource: z.strictObject({ type: name, id: name }).optional(),
  /**
   * The proof of possession of a bound credential (RFC 9449), and the URL that it was sent to. `claimed`: the service has
   * asked about it before, for the same request, whose body arrived late.
   */
  dpop: z
    .strictObject({
      proof: z.string().min(1).max(MAX_PROOF),
      url: z.url().max(MAX_URL),
      claimed: z.literal(true).optional(),
    })
    .optional(),
  cost: z.number().int().min(0).max(LIMITS.cost).default(1),
  /** How many requests `cost` stands for, from a service that keeps verdicts. */
  requests: z.number().int().min(1).max(LIMITS.cost).default(1),
});
export type VerifyQuestion = z.output<typeof question>;

export const verifyRequest = z.strictObject({
  credentials: boundedList(LIMITS.credentials, question).refine(
    (list) => list.length > 0,
    coded('too_short', 'must hold at least one credential'),
  ),
});

const members = z.record(z.string(), z.unknown());

const annotations = {
  /** The ids that the operator's other systems gave. */
  externalIds: z.strictObject({
    tenant: z.string().nullable(),
    account: z.string().nullable(),
    key: z.string().nullable(),
  }),
  /** `null` where the credential has no such thing: a token has no key, a key no account. */
  metadata: z.strictObject({
    tenant: members,
    account: members.nullable(),
    key: members.nullable(),
  }),
};

const facts = {
  active: z.literal(true),
  ...annotations,
  spaces: z.array(z.string()).nullable(),
  bindings: z.array(z.strictObject({ type: z.string(), id: z.string() })).nullable(),
  expiresAt: time.nullable(),
  principal: z.strictObject({ kind: z.enum(PRINCIPAL_KINDS), id: z.string() }),
  /** The ids whose end ends the credential, and the position in the order of changes at which it was read. */
  subjects: z.array(z.string()),
  position: z.string(),
  /** Only if the question names no address. */
  allowedIps: z.array(z.string()).nullable().optional(),
  limits: usageAnswer,
  /** Only for a credential that came with a proof of possession. */
  dpopNonce: z.string().optional(),
};

const refused = z.strictObject({
  active: z.literal(false),
  status: z.int(),
  code: z.enum(Object.keys(PROBLEMS)),
  detail: z.string(),
  retryAfterSeconds: z.number().optional(),
  /** If the credential was counted, or a budget is spent. */
  limits: usageAnswer.optional(),
  /** The `error` of the challenge, if it concerns the proof. */
  error: z.enum(['invalid_dpop_proof', 'use_dpop_nonce']).optional(),
  /** The schemes of the challenge, for a bound credential that came by another one. */
  schemes: z.array(z.string()).optional(),
  dpopNonce: z.string().optional(),
});

/** The data of `POST /verify`: one verdict for each question, in their order. */
export const verdictsAnswer = z.strictObject({
  verdicts: z.array(
    z.union([
      refused,
      presentedKey.extend(facts),
      presentedToken.extend(facts),
      presentedExchange.extend(facts),
    ]),
  ),
});
