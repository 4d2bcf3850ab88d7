import { isIP } from 'node:net';
import { z } from 'zod';

import { coded } from '../http/validation.js';

const MAX_SECRET = 1000;
const MAX_PATH = 200;
const MAX_OBSERVED = 10;

const address = z
  .string()
  .max(45)
  .refine(
    (text) => isIP(text) !== 0,
    coded('invalid_format', 'must be an address such as 203.0.113.7'),
  );

/** A credential to test: pasted, or a key of the organization by its id. */
export const credentialTest = z
  .strictObject({
    credential: z.string().trim().min(1).max(MAX_SECRET).optional(),
    keyId: z.string().min(1).max(40).optional(),
    /** The address against which the allow-list is judged; by default the caller's. */
    address: address.optional(),
    /** Paths of GET routes, without the prefix of the API, that are asked with a pasted credential. */
    observe: z.array(z.string().min(1).max(MAX_PATH)).max(MAX_OBSERVED).default([]),
  })
  .refine(({ credential, keyId }) => (credential === undefined) !== (keyId === undefined), {
    path: ['credential'],
    ...coded('required', 'or keyId is required, and not both'),
  })
  .refine(({ keyId, observe }) => keyId === undefined || observe.length === 0, {
    path: ['observe'],
    ...coded('invalid_value', 'needs the credential itself'),
  });

export type CredentialTest = z.output<typeof credentialTest>;
