import { createPublicKey } from 'node:crypto';
import { z } from 'zod';

const MAX_KEYS = 20;

const document = z.object({
  public_keys: z
    .array(
      z.object({
        key_identifier: z.string().min(1).max(200),
        key: z.string().max(2000).refine(isEcdsaOnP256),
      }),
    )
    .min(1)
    .max(MAX_KEYS),
});

/**
 * Reads the public keys of a secret scanning service.
 * @throws Error unless they are ECDSA keys on P-256
 */
export function readScannerKeys(value: unknown) {
  return document.parse(value).public_keys;
}

function isEcdsaOnP256(pem: string): boolean {
  try {
    return createPublicKey(pem).asymmetricKeyDetails?.namedCurve === 'prime256v1';
  } catch {
    return false;
  }
}
