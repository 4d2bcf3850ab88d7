import type { Context } from 'koa';

import type { Principal, Verifier } from '../credentials/index.js';
import { isId } from '../db/id.js';
import type { Form } from '../http/body/form.js';
import { clientRefused, readClientCredentials } from '../http/client-credentials.js';
import { OAuthError } from '../http/errors/oauth-error.js';

export interface KeyAuthenticationDependencies {
  readonly verifier: Verifier;
  readonly clientAddress: (request: Context['req']) => string;
}

/**
 * Verifies a key that a request presents to one of OAuth's endpoints.
 *
 * @returns the key; a string, the reason, for anything that is not a valid key
 * @throws OAuthError 503 while its tenant is suspended
 */
export async function verifyKey(
  ctx: Context,
  secret: string,
  { verifier, clientAddress }: KeyAuthenticationDependencies,
): Promise<Principal | string> {
  const verdict = await verifier.verify(secret, clientAddress(ctx.req));
  if (verdict.outcome === 'accepted') return verdict.principal;
  if (verdict.reason !== 'tenant_suspended') return verdict.reason;
  throw new OAuthError(503, 'temporarily_unavailable', 'The organization is suspended.');
}

/**
 * Authenticates a key that is the client itself: its id is the `client_id`, and the key the secret.
 *
 * @returns `undefined` if the request names no key as its client
 * @throws OAuthError 401 `invalid_client`, 503 while the tenant is suspended
 */
export async function authenticateKey(
  ctx: Context,
  form: Form,
  dependencies: KeyAuthenticationDependencies,
): Promise<Principal | undefined> {
  const { id, secret, by } = readClientCredentials(ctx, form);
  if (id === undefined || !isId('key', id)) return undefined;
  const key = await verifyKey(ctx, secret ?? '', dependencies);
  if (typeof key === 'string') throw clientRefused(by, 'the key is not valid');
  if (key.credentialId !== id) throw clientRefused(by, 'client_id is not the id of the key');
  return key;
}
