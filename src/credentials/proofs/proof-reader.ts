import { hash } from 'node:crypto';

import {
  calculateJwkThumbprint,
  decodeProtectedHeader,
  EmbeddedJWK,
  jwtVerify,
  type CryptoKey,
  type JWTVerifyGetKey,
} from 'jose';

import { ownText } from '../../db/own-text.js';
import { parseUrl } from '../../http/url.js';
import type { ProofNonces } from './nonces.js';

/** The algorithms of proofs (RFC 9449 §4.2). */
export const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const;

/** Longer proofs are not parsed. A proof by an RSA key of 4096 bits has some 2,000 characters. */
const MAX_PROOF = 4096;
/** Characters of an RSA modulus of 4096 bits. Larger keys make a verification expensive. */
const MAX_MODULUS = 683;
/** Characters of a public exponent of 32 bits. Larger ones make a verification expensive, too. */
const MAX_EXPONENT = 6;
/** Ids are digested, so their length costs nothing later. */
const MAX_ID = 512;

/** The age of a proof without a nonce, in seconds, on either side of the server's clock. */
export const MAX_PROOF_AGE = 60;

/** The request that a proof was made for. */
export interface ProvenRequest {
  readonly method: string;
  /** The URL without query and fragment, as built from the issuer. */
  readonly url: string;
  /** The credential that the request presents, if the proof must name it (`ath`). */
  readonly credential?: string;
}

/** A proof whose signature, request and age are right. Whether it was used before is not known yet. */
export interface Proof {
  /** The thumbprint of the key (RFC 7638, SHA-256). */
  readonly thumbprint: string;
  /** The `jti`, unique for the key. */
  readonly id: string;
}

/** The fault of a proof: `nonce` if the client must use the server's nonce, else a text for the client. */
export type ProofFault = { readonly fault: 'nonce' | 'invalid'; readonly detail: string };

export type ReadProof = (proof: string, request: ProvenRequest) => Promise<Proof | ProofFault>;

/** Makes the function that reads a DPoP proof (RFC 9449 §4.3). */
export function createProofReader(nonces: ProofNonces): ReadProof {
  // By the header as sent, which holds the algorithm, too. perf: reading a key and its thumbprint costs more than a
  // verification (decision 7).
  const known = new Map<string, KnownKey>();
  return async (text, request) => {
    const verified = await verifySignature(text, known);
    if ('fault' in verified) return verified;
    const { thumbprint, claims } = verified;
    const id = claims['jti'];
    if (typeof id !== 'string' || id === '' || id.length > MAX_ID) {
      return invalid(`jti must be a text of 1 to ${MAX_ID} characters`);
    }
    const fault = faultOfRequest(claims, request) ?? faultOfAge(claims, nonces);
    return fault ?? { id, thumbprint };
  };
}

type Jwk = Parameters<typeof calculateJwkThumbprint>[0];
type Claims = Readonly<Record<string, unknown>>;

/** A key that signed a proof, ready to verify others. */
interface KnownKey {
  readonly key: CryptoKey;
  readonly thumbprint: string;
}

const MAX_KNOWN = 1000;
/** Longer headers are not kept. One with an RSA key of 4096 bits has some 1,000 characters. */
const MAX_KNOWN_HEADER = 1200;

function remember(keys: Map<string, KnownKey>, header: string, key: KnownKey): void {
  if (header.length > MAX_KNOWN_HEADER) return;
  keys.set(ownText(header), key);
  const [oldest] = keys.keys();
  if (keys.size > MAX_KNOWN && oldest !== undefined) keys.delete(oldest);
}

async function verifySignature(
  text: string,
  known: Map<string, KnownKey>,
): Promise<{ readonly thumbprint: string; readonly claims: Claims } | ProofFault> {
  if (text.length > MAX_PROOF) return invalid(`longer than ${MAX_PROOF} characters`);
  const header = text.slice(0, text.indexOf('.'));
  const found = known.get(header);
  try {
    const { jwk } = found === undefined ? decodeProtectedHeader(text) : {};
    if ((jwk?.n?.length ?? 0) > MAX_MODULUS) return invalid('the RSA key has more than 4096 bits');
    if ((jwk?.e?.length ?? 0) > MAX_EXPONENT) return invalid('the RSA exponent exceeds 32 bits');
    const findKey: JWTVerifyGetKey<CryptoKey> = (...of) => found?.key ?? EmbeddedJWK(...of);
    const { payload, protectedHeader, key } = await jwtVerify(text, findKey, {
      typ: 'dpop+jwt',
      algorithms: [...PROOF_ALGORITHMS],
    });
    if (found !== undefined) return { thumbprint: found.thumbprint, claims: payload };
    const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk as Jwk);
    remember(known, header, { key, thumbprint });
    return { thumbprint, claims: payload };
  } catch {
    return invalid('not a JWT of type dpop+jwt that its own key has signed');
  }
}

function faultOfRequest(claims: Claims, request: ProvenRequest): ProofFault | undefined {
  const { htm, htu, ath } = claims;
  if (htm !== request.method) return invalid('htm is not the method of the request');
  if (typeof htu !== 'string' || withoutQuery(htu) !== withoutQuery(request.url)) {
    return invalid('htu is not the URL of the request');
  }
  const { credential } = request;
  if (credential !== undefined && ath !== hash('sha256', credential, 'base64url')) {
    return invalid('ath is not the hash of the credential');
  }
  return undefined;
}

/** A nonce shows the age. Without one, the client's clock has to agree with the server's. */
function faultOfAge({ nonce, iat }: Claims, nonces: ProofNonces): ProofFault | undefined {
  if (nonce !== undefined) {
    const isCurrent = typeof nonce === 'string' && nonces.isCurrent(nonce);
    return isCurrent ? undefined : { fault: 'nonce', detail: 'nonce is not current' };
  }
  if (typeof iat !== 'number') return invalid('iat is missing');
  const isRecent = Math.abs(Date.now() / 1000 - iat) <= MAX_PROOF_AGE;
  return isRecent ? undefined : { fault: 'nonce', detail: 'iat is not recent: use a nonce' };
}

function withoutQuery(url: string): string | undefined {
  const parsed = parseUrl(url);
  if (parsed === undefined) return undefined;
  parsed.search = '';
  parsed.hash = '';
  return parsed.href;
}

function invalid(detail: string): ProofFault {
  return { fault: 'invalid', detail };
}
