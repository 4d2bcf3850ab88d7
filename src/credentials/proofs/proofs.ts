import type { IncomingMessage } from 'node:http';

import type { EntityManager } from 'typeorm';

import type { Keyring } from '../secrets/keyring.js';
import { createProofNonces, MAX_NONCE_AGE } from './nonces.js';
import {
  createProofReader,
  MAX_PROOF_AGE,
  type Proof,
  type ProofFault,
  type ProvenRequest,
} from './proof-reader.js';
import { createUsedProofs } from './used-proofs.js';

/** How long a used proof is known: longer than a proof is accepted, by its nonce or its time. */
const KNOWN_SECONDS = MAX_NONCE_AGE + 2 * MAX_PROOF_AGE;

/** Demonstrated possession of a key (RFC 9449). */
export interface Proofs {
  /** The current nonce, for the header `DPoP-Nonce`. */
  nonce(): string;
  /**
   * Reads the proof in the header `DPoP`. Nothing is stored.
   * @returns `undefined` without the header
   */
  read(
    request: Pick<IncomingMessage, 'headersDistinct'>,
    proven: ProvenRequest,
  ): Promise<Proof | ProofFault | undefined>;
  /**
   * Marks a proof as used, on all replicas. To be called once everything else about the request is right, so that an
   * anonymous request stores nothing.
   * @returns whether it was not used before
   */
  claim(proof: Proof): Promise<boolean>;
}

export function createProofs(manager: EntityManager, keyring: Keyring): Proofs {
  const nonces = createProofNonces(keyring);
  const read = createProofReader(nonces);
  const used = createUsedProofs(manager);
  return {
    nonce: () => nonces.current(),
    async read({ headersDistinct }, proven) {
      const [text, ...others] = headersDistinct['dpop'] ?? [];
      if (text === undefined) return undefined;
      if (others.length > 0) return { fault: 'invalid', detail: 'send one DPoP header' };
      return read(text, proven);
    },
    claim: ({ thumbprint, id }) => used.claim(thumbprint, id, KNOWN_SECONDS),
  };
}
