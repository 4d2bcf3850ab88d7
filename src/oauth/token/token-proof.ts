import type { Context } from 'koa';

import type { Proof, Proofs } from '../../credentials/index.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { invalidGrant } from './grant-refusal.js';

/** The proof of possession that a token request presents (RFC 9449 §5). The tokens are bound to its key. */
export interface TokenProof {
  /** The thumbprint of the key; `undefined` for a request without a proof. */
  readonly key: string | undefined;
  /**
   * Marks the proof as used. To be called once the client and its code or token are known to be valid, and before
   * anything is consumed.
   *
   * @param required the key that the code or refresh token is bound to, if any
   * @throws OAuthError `invalid_grant` for another key or a missing proof, `invalid_dpop_proof` for a used proof
   */
  claim(required: string | undefined): Promise<void>;
}

export type ReadTokenProof = (ctx: Context) => Promise<TokenProof>;

/** @param url the token endpoint, as built from the issuer */
export function createTokenProofs(proofs: Proofs, url: string): ReadTokenProof {
  const refused = (error: string, description: string) =>
    new OAuthError(400, error, description, { 'DPoP-Nonce': proofs.nonce() });

  async function read(ctx: Context): Promise<Proof | undefined> {
    const proof = await proofs.read(ctx.req, { method: ctx.method, url });
    if (proof === undefined || !('fault' in proof)) return proof;
    const isNonce = proof.fault === 'nonce';
    throw refused(isNonce ? 'use_dpop_nonce' : 'invalid_dpop_proof', proof.detail);
  }

  return async (ctx) => {
    const proof = await read(ctx);
    if (proof !== undefined) ctx.set('DPoP-Nonce', proofs.nonce());
    return {
      key: proof?.thumbprint,
      async claim(required) {
        if (required !== undefined && required !== proof?.thumbprint) {
          throw invalidGrant('bound to another key');
        }
        if (proof === undefined || (await proofs.claim(proof))) return;
        throw refused('invalid_dpop_proof', 'The proof was used before.');
      },
    };
  };
}
