import type { Context } from 'koa';

import type { Principal } from '../principal.js';
import type { Proof } from '../proofs/proof-reader.js';
import type { Proofs } from '../proofs/proofs.js';
import type { Presented } from '../verification/presentation.js';
import type { ProofRefusal } from './refusals.js';

/** Checks the proof that a request presents with a credential that is bound to a key (RFC 9449 §7). */
export interface ProofCheck {
  /**
   * Reads the proof. Nothing is stored.
   * @returns the reason to refuse, or the proof to claim; `undefined` for an unbound credential, and where a guard in
   *   front has claimed the proof
   */
  read(
    ctx: Context,
    principal: Principal,
    presented: Presented,
  ): Promise<ProofRefusal | Proof | undefined>;
  /** Marks the proof as used. @returns the reason to refuse if it was used before */
  claim(ctx: Context, proof: Proof, presented: Presented): Promise<ProofRefusal | undefined>;
  /** The current nonce, for the header `DPoP-Nonce`. */
  nonce(): string;
}

interface State {
  /** The credential whose proof the guard has claimed. The guard runs again behind a late body. */
  provenCredential?: string;
}

/**
 * Reads the proof of a bound credential.
 * @returns the reason to refuse, or the proof to claim; `undefined` for an unbound credential
 */
export async function readProof(
  proofs: Proofs,
  request: Parameters<Proofs['read']>[0],
  proven: Parameters<Proofs['read']>[1],
  { proofKey }: Principal,
  { by }: Presented,
): Promise<ProofRefusal | Proof | undefined> {
  if (proofKey === null) return undefined;
  if (by !== 'dpop') return 'proof_missing';
  const proof = await proofs.read(request, proven);
  if (proof === undefined) return 'proof_missing';
  if ('fault' in proof) return proof.fault === 'nonce' ? 'proof_nonce_missing' : 'proof_invalid';
  return proof.thumbprint === proofKey ? proof : 'proof_invalid';
}

/** @param issuer the origin of the URLs for which proofs are made, never the request's `Host` */
export function createProofCheck(proofs: Proofs, issuer: string): ProofCheck {
  return {
    async read(ctx, principal, presented) {
      const { raw } = presented;
      if ((ctx.state as State).provenCredential === raw && presented.by === 'dpop')
        return undefined;
      const proven = { method: ctx.method, url: issuer + ctx.path, credential: raw };
      return readProof(proofs, ctx.req, proven, principal, presented);
    },
    async claim(ctx, proof, { raw }) {
      if (!(await proofs.claim(proof))) return 'proof_used';
      (ctx.state as State).provenCredential = raw;
      return undefined;
    },
    nonce: () => proofs.nonce(),
  };
}
