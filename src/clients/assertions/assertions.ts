import { decodeJwt } from 'jose';
import { z } from 'zod';

import type { UsedProofs } from '../../credentials/index.js';
import type { RunPrepared } from '../../db/prepared.js';
import { assertAllowed } from '../../http/errors/oauth-error.js';
import type { AddressLimit } from '../../rate-limits/index.js';
import type { RemoteKeys } from './remote-keys.js';
import { createSignatureCheck, readHeader } from './signatures.js';

/** RFC 7523 §2.2 */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const MAX_LENGTH = 8192;
const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** Limit for a client, and for an address, per replica. Each assertion is recorded until it expires. */
const MAX_PER_MINUTE = 3000;
const MAX_LIFETIME_SECONDS = 3600;
/** The difference of clocks that is tolerated. Not for the end of an assertion. */
const CLOCK_SECONDS = 60;

/** The reason why an assertion does not authenticate a client, for the log. */
export type AssertionRefusal =
  | 'assertion: malformed'
  | 'assertion: algorithm not allowed'
  | 'assertion: iss and sub are not the client_id'
  | 'assertion: not for this server'
  | 'assertion: expired, or expires in more than an hour'
  | 'assertion: not valid yet'
  | 'assertion: no key of the client fits'
  | 'assertion: used before';

/** Authentication of clients by a signed JWT (`private_key_jwt`, RFC 7523 §2.2 and §3). */
export interface ClientAssertions {
  /**
   * Reads whom an assertion is of. Nothing is proven yet.
   * @returns `undefined` for a malformed assertion
   */
  claimedClient(assertion: string): string | undefined;
  /**
   * Verifies an assertion and records its use.
   *
   * @param audiences identifiers of this server: the assertion must name one, and no other
   * @param address of the request
   * @returns `undefined` if it authenticates the client
   * @throws OAuthError 429 for too many assertions of a client or an address
   */
  verify(
    assertion: string,
    clientId: string,
    request: { readonly audiences: readonly string[]; readonly address: string },
  ): Promise<AssertionRefusal | undefined>;
}

const claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string()).min(1).max(10)]),
  exp: z.number().int().positive().max(1e12),
  jti: z.string().min(1).max(1000),
  nbf: z.number().optional(),
  iat: z.number().optional(),
});
type Claims = z.output<typeof claims>;

export function createClientAssertions({
  run,
  usedProofs,
  remoteKeys,
  limit,
}: {
  readonly run: RunPrepared;
  readonly usedProofs: UsedProofs;
  readonly remoteKeys: RemoteKeys;
  readonly limit: AddressLimit;
}): ClientAssertions {
  const isSignedBy = createSignatureCheck(run, remoteKeys);

  /** @throws OAuthError 429 */
  function assertAdmitted(clientId: string, address: string): void {
    const own = limit.takeFor('assertion', clientId, MAX_PER_MINUTE);
    const verdict = own.isAllowed ? limit.take('assertion', address, MAX_PER_MINUTE) : own;
    assertAllowed(verdict, 'Too many assertions');
  }

  return {
    claimedClient: (assertion) => readClaims(assertion)?.sub,
    async verify(assertion, clientId, { audiences, address }) {
      const claimed = readClaims(assertion);
      if (claimed === undefined) return 'assertion: malformed';
      const fault = faultOf(claimed, clientId, audiences);
      if (fault !== undefined) return fault;
      const head = readHeader(assertion);
      if (head === undefined) return 'assertion: algorithm not allowed';
      if (!(await isSignedBy(assertion, clientId, head))) {
        return 'assertion: no key of the client fits';
      }
      // After the signature, so that nobody else can fill the table or use up the limit.
      assertAdmitted(clientId, address);
      const seconds = claimed.exp - Date.now() / 1000 + CLOCK_SECONDS;
      const isFirst = await usedProofs.claim(clientId, claimed.jti, seconds);
      return isFirst ? undefined : 'assertion: used before';
    },
  };
}

function readClaims(assertion: string): Claims | undefined {
  if (assertion.length > MAX_LENGTH || !FORM.test(assertion)) return undefined;
  try {
    return claims.safeParse(decodeJwt(assertion)).data;
  } catch {
    return undefined;
  }
}

/** RFC 7523 §3 */
function faultOf(
  { iss, sub, aud, exp, nbf = 0, iat = 0 }: Claims,
  clientId: string,
  audiences: readonly string[],
): AssertionRefusal | undefined {
  if (iss !== clientId || sub !== clientId) return 'assertion: iss and sub are not the client_id';
  // An assertion that also names another server could have been replayed by it.
  if ([aud].flat().some((audience) => !audiences.includes(audience))) {
    return 'assertion: not for this server';
  }
  const now = Date.now() / 1000;
  if (exp <= now || exp > now + MAX_LIFETIME_SECONDS + CLOCK_SECONDS) {
    return 'assertion: expired, or expires in more than an hour';
  }
  const isEarly = nbf > now + CLOCK_SECONDS || iat > now + CLOCK_SECONDS;
  return isEarly ? 'assertion: not valid yet' : undefined;
}
