import type { Context } from 'koa';

import { singleValue, type Form } from './body/form.js';
import { OAuthError } from './errors/oauth-error.js';

/** The presented credentials of a client, not verified yet. */
export interface ClientCredentials {
  readonly id: string | undefined;
  readonly secret: string | undefined;
  readonly by: 'header' | 'form' | 'nothing';
}

/**
 * Reads `client_secret_basic`, `client_secret_post` or a bare `client_id` (RFC 6749 §2.3.1).
 * @throws OAuthError 400 `invalid_request` for two authentication methods at once
 */
export function readClientCredentials(ctx: Context, form: Form): ClientCredentials {
  const id = singleValue(form, 'client_id');
  const secret = singleValue(form, 'client_secret');
  const header = ctx.get('Authorization');
  if (header === '') return { id, secret, by: id === undefined ? 'nothing' : 'form' };
  const basic = readBasic(header);
  if (secret !== undefined || (id !== undefined && basic !== undefined && id !== basic.id)) {
    throw new OAuthError(400, 'invalid_request', 'Authenticate the client in one way.');
  }
  return { id: basic?.id, secret: basic?.secret ?? '', by: 'header' };
}

/** The characters of ids and secrets (RFC 6749 appendix A.1, A.2). */
const VSCHARS = /^[\x20-\x7e]+$/;

/**
 * Refuses an Authorization header that cannot be one of a client, for oidc-provider, which answers 400 without a challenge.
 *
 * @throws OAuthError 401 `invalid_client` (RFC 6749 §5.2), 400 `invalid_request` for two authentication methods at once
 */
export function refuseUnusableHeader(ctx: Context, form: Form): void {
  const { id = '', secret = '', by } = readClientCredentials(ctx, form);
  if (by !== 'header' || (VSCHARS.test(id) && VSCHARS.test(secret))) return;
  throw clientRefused(by, 'unreadable Authorization header');
}

/**
 * Reads the assertion of a client (RFC 7521 §4.2).
 *
 * @param type the supported `client_assertion_type`
 * @returns `undefined` if the request has none
 * @throws OAuthError 400 `invalid_request` beside another authentication method, or with another type
 */
export function readClientAssertion(
  ctx: Context,
  form: Form,
  type: string,
): { readonly assertion: string; readonly id: string | undefined } | undefined {
  const assertion = singleValue(form, 'client_assertion');
  const sentType = singleValue(form, 'client_assertion_type');
  if (assertion === undefined && sentType === undefined) return undefined;
  if (form.has('client_secret') || ctx.get('Authorization') !== '') {
    throw new OAuthError(400, 'invalid_request', 'Authenticate the client in one way.');
  }
  if (sentType !== type) {
    throw new OAuthError(400, 'invalid_request', `client_assertion_type must be ${type}`);
  }
  return { assertion: assertion ?? '', id: singleValue(form, 'client_id') };
}

/** The reason why a client was not authenticated, for the log only. */
export type ClientRefusal =
  | 'unknown client'
  | 'blocked client'
  | 'wrong client_secret'
  | 'client_assertion is missing'
  | 'registered for another method'
  | 'client_id is not that of the assertion'
  | `assertion: ${string}`
  | 'client_secret is missing'
  | 'client_id is missing'
  | 'unreadable Authorization header'
  | 'client_id is not the id of the key'
  | 'the key is not valid'
  | 'the credential is not valid';

/** Makes the refusal of a client, with a challenge of the scheme that it used (RFC 6749 §5.2). */
export function clientRefused(by: ClientCredentials['by'], reason: ClientRefusal): OAuthError {
  const challenge = { 'WWW-Authenticate': 'Basic realm="oauth", charset="UTF-8"' };
  return new OAuthError(
    401,
    'invalid_client',
    'client authentication failed',
    by === 'form' ? {} : challenge,
    { reason },
  );
}

/** Reads Basic credentials. Both parts are form-encoded (RFC 6749 §2.3.1). */
function readBasic(header: string): { id: string; secret: string } | undefined {
  const [, encoded] = /^basic +([\w+/]+={0,2})$/i.exec(header) ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  try {
    const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
    return { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}
