import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A public key of a secret scanning service, as GitHub publishes them. */
export interface ScannerKey {
  readonly key_identifier: string;
  /** SPKI in PEM; an ECDSA key on P-256. */
  readonly key: string;
}

/** Checks the signatures of secret scanning services (GitHub's partner program). */
export interface ScannerSignatures {
  /** Whether one of the configured keys signed the body (ECDSA with SHA-256, DER in base64). */
  isSigned(headers: IncomingHttpHeaders, body: Buffer): boolean;
}

const MAX_SIGNATURE = 200;

/** @throws Error for a key that cannot be read */
export function createScannerSignatures(keys: readonly ScannerKey[]): ScannerSignatures {
  const known = new Map<string, KeyObject>(
    keys.map(({ key_identifier: id, key }) => [id, createPublicKey(key)]),
  );
  return {
    isSigned(headers, body) {
      const id = headers['github-public-key-identifier'];
      const signature = headers['github-public-key-signature'];
      if (typeof id !== 'string' || typeof signature !== 'string') return false;
      const key = known.get(id);
      if (key === undefined || signature.length > MAX_SIGNATURE) return false;
      try {
        return verify('sha256', body, key, Buffer.from(signature, 'base64'));
      } catch {
        return false;
      }
    },
  };
}
