import type { JWK } from 'jose';

/** The keys that sign id_tokens, as they are at one time. */
export interface SigningKeysSnapshot {
  /** Another one whenever anything changed. */
  readonly id: string;
  /** What is published: public keys, those that are yet to sign included. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Private keys, the one that signs first. */
  readonly signing: readonly JWK[];
}
