import { createHash } from 'node:crypto';

import { OAUTH_PATHS } from '../src/oauth/paths.js';
import type { RequestTemplate } from './load.js';

/** Values that Gatehouse and the bare provider share: both get the same requests. */
export const ISSUER = 'http://localhost:3000';
export const RESOURCE = `${ISSUER}/api/v1`;
export const REDIRECT = 'https://app.example.com/callback';
export const PUBLIC_CLIENT = 'cli_0123456789abcdef0123456789abcdef';
export const CONFIDENTIAL_CLIENT = 'cli_01M7XDXM196WXM1ABP0DNE71TS';
export const CLIENT_SECRET = 'a client secret that only the benchmark uses'.replaceAll(' ', '-');
const CODE_VERIFIER = 'a-code-verifier-of-the-length-that-is-required';
export const CODE_CHALLENGE = createHash('sha256').update(CODE_VERIFIER).digest('base64url');

const RESOURCE_SCOPE = 'contacts:read contacts:write leads:read offline_access';
const OPENID_SCOPE = `${RESOURCE_SCOPE} openid profile email`;

/** Kind of credential that a load presents. */
export type TokenKind = 'code' | 'refresh' | 'refresh-openid' | 'access' | 'access-openid';

/** Which client a token is of, and for which scopes. */
export const TOKENS: Readonly<Record<TokenKind, { clientId: string; scope: string }>> = {
  code: { clientId: PUBLIC_CLIENT, scope: OPENID_SCOPE },
  refresh: { clientId: PUBLIC_CLIENT, scope: RESOURCE_SCOPE },
  'refresh-openid': { clientId: PUBLIC_CLIENT, scope: OPENID_SCOPE },
  access: { clientId: CONFIDENTIAL_CLIENT, scope: RESOURCE_SCOPE },
  'access-openid': { clientId: PUBLIC_CLIENT, scope: OPENID_SCOPE },
};

export const ACCOUNT = { email: 'ada@example.com', name: 'Ada Example' };

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const BEARER = { Authorization: 'Bearer {}' };
const basic = Buffer.from(`${CONFIDENTIAL_CLIENT}:${CLIENT_SECRET}`).toString('base64');

export const ME: RequestTemplate = { method: 'GET', path: '/api/v1/me', headers: BEARER };
export const USERINFO: RequestTemplate = { ...ME, path: OAUTH_PATHS.userinfo };
export const INTROSPECT: RequestTemplate = {
  method: 'POST',
  path: OAUTH_PATHS.introspect,
  headers: { ...FORM, Authorization: `Basic ${basic}` },
  body: 'token={}',
};
export const REFRESH: RequestTemplate = {
  method: 'POST',
  path: OAUTH_PATHS.token,
  headers: FORM,
  body: `grant_type=refresh_token&client_id=${PUBLIC_CLIENT}&refresh_token={}`,
};
/** Token exchange of a key (RFC 8693). */
export const EXCHANGE_KEY: RequestTemplate = {
  method: 'POST',
  path: OAUTH_PATHS.token,
  headers: FORM,
  body: String(
    new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }),
  ).concat('&subject_token={}'),
};
/** A bound key with its proof (RFC 9449). */
export const ME_WITH_PROOF: RequestTemplate = {
  ...ME,
  headers: { Authorization: 'DPoP {}', DPoP: '{}' },
};
export const EXCHANGE: RequestTemplate = {
  ...REFRESH,
  body: String(
    new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: PUBLIC_CLIENT,
      redirect_uri: REDIRECT,
      code_verifier: CODE_VERIFIER,
    }),
  ).concat('&code={}'),
};
