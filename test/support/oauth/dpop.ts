import { createHash, randomUUID } from 'node:crypto';

import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';

/** The request that a proof is for, and members that replace its own. */
export interface ProofOf {
  readonly method?: string;
  readonly url: string;
  /** The credential that the request presents. */
  readonly credential?: string;
  readonly nonce?: string;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** A client's key, and the proofs that it makes (RFC 9449 §4.2). */
export interface Prover {
  readonly jwk: JWK;
  readonly thumbprint: string;
  prove(of: ProofOf): Promise<string>;
}

export async function createProver(algorithm = 'ES256'): Promise<Prover> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    jwk,
    thumbprint: await calculateJwkThumbprint(jwk),
    prove: ({ method = 'GET', url, credential, nonce, claims, header }) =>
      new SignJWT({
        jti: randomUUID(),
        htm: method,
        htu: url,
        iat: Math.floor(Date.now() / 1000),
        ...(credential !== undefined && { ath: accessTokenHash(credential) }),
        ...(nonce !== undefined && { nonce }),
        ...claims,
      })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: algorithm, jwk, ...header })
        .sign(privateKey),
  };
}

function accessTokenHash(credential: string): string {
  return createHash('sha256').update(credential).digest('base64url');
}
