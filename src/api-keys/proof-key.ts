import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

import { z } from 'zod';

import { coded } from '../http/validation.js';

const coordinate = z.string().regex(/^[\w-]{43}$/, 'must be 32 bytes in base64url');
/** Members that say nothing about the key itself. */
const notes = {
  kid: z.string().max(256).optional(),
  alg: z.string().max(20).optional(),
  use: z.literal('sig').optional(),
  key_ops: z.tuple([z.literal('verify')]).optional(),
  ext: z.boolean().optional(),
};

/**
 * The public key (RFC 7517) of which a bound key needs a proof (RFC 9449), for the algorithms of proofs. Members of a
 * private key are unknown members.
 */
export const proofKey = z
  .discriminatedUnion('kty', [
    z.strictObject({
      ...notes,
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      x: coordinate,
      y: coordinate,
    }),
    z.strictObject({ ...notes, kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: coordinate }),
    z.strictObject({
      ...notes,
      kty: z.literal('RSA'),
      // 2048 to 4096 bits.
      n: z.string().regex(/^[\w-]{342,683}$/, 'must have 2048 to 4096 bits, in base64url'),
      e: z.literal('AQAB'),
    }),
  ])
  .transform((jwk, ctx): KeyObject => {
    try {
      // A point that is not on its curve passes the check of its form.
      return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    } catch {
      ctx.addIssue({ code: 'custom', ...coded('invalid_value', 'is not a valid public key') });
      return z.NEVER;
    }
  });
