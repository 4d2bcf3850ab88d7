import { z } from 'zod';

import type { Route } from '../http/routes.js';
import {
  ASSERTION_ALGORITHMS,
  SIGNING_ALGORITHMS,
} from '../credentials/secrets/signing-algorithms.js';
import type { SigningKeys } from '../signing-keys/index.js';
import { DEVICE_GRANT } from '../clients/index.js';
import { OAUTH_PATHS } from './paths.js';
import { PROOF_ALGORITHMS } from '../credentials/index.js';
import { REFERENCE_PATH } from '../discovery/index.js';
import { OAUTH_SCOPES } from '../scopes/catalog.js';

/** Keys are published for longer than this before they sign. */
const CACHE = 'public, max-age=300';

const signingKey = {
  kid: z.string(),
  alg: z.enum(SIGNING_ALGORITHMS),
  use: z.literal('sig'),
};

/** Public keys (RFC 7517). Their members depend on the algorithm, and none of them is private. */
const keySet = z.strictObject({
  keys: z.array(
    z.union([
      z.strictObject({ ...signingKey, kty: z.literal('RSA'), n: z.string(), e: z.string() }),
      z.strictObject({
        ...signingKey,
        kty: z.literal('EC'),
        crv: z.string(),
        x: z.string(),
        y: z.string(),
      }),
    ]),
  ),
});

interface Dependencies {
  readonly issuer: string;
  readonly signingKeys: SigningKeys;
}

/**
 * Authorization server metadata (RFC 8414), which is OpenID Connect's discovery document too, and the
 * keys that id_tokens are verified with (RFC 7517).
 */
export function createMetadataRoutes({ issuer, signingKeys }: Dependencies): Route<'public'>[] {
  const metadata = JSON.stringify(describe(issuer));
  const route = (path: string, body: () => string): Route<'public'> => ({
    method: 'GET',
    path,
    access: 'public',
    cors: 'anyOrigin',
    handle(ctx) {
      ctx.set('Cache-Control', CACHE);
      ctx.type = path === OAUTH_PATHS.jwks ? 'application/jwk-set+json' : 'application/json';
      ctx.body = body();
    },
  });
  return [
    ...OAUTH_PATHS.metadata.map((path) => route(path, () => metadata)),
    {
      ...route(OAUTH_PATHS.jwks, () => JSON.stringify(signingKeys.current().jwks)),
      summary: 'List the keys that sign id_tokens',
      answers: { 200: keySet },
    },
  ];
}

const CLIENT_AUTHENTICATION = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];

const ID_TOKEN_CLAIMS = 'sub iss aud exp iat auth_time nonce amr name email email_verified'.split(
  ' ',
);
const CLAIMS = [...ID_TOKEN_CLAIMS, 'tenant_id', 'role', 'scopes'];

/** The last two are for keys, not for registered clients. */
const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  DEVICE_GRANT,
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
];

function describe(issuer: string) {
  return {
    issuer,
    authorization_endpoint: issuer + OAUTH_PATHS.authorize,
    token_endpoint: issuer + OAUTH_PATHS.token,
    device_authorization_endpoint: issuer + OAUTH_PATHS.device,
    pushed_authorization_request_endpoint: issuer + OAUTH_PATHS.par,
    // The operator can require it of single clients.
    require_pushed_authorization_requests: false,
    jwks_uri: issuer + OAUTH_PATHS.jwks,
    registration_endpoint: issuer + OAUTH_PATHS.register,
    revocation_endpoint: issuer + OAUTH_PATHS.revoke,
    introspection_endpoint: issuer + OAUTH_PATHS.introspect,
    userinfo_endpoint: issuer + OAUTH_PATHS.userinfo,
    end_session_endpoint: issuer + OAUTH_PATHS.endSession,
    service_documentation: issuer + REFERENCE_PATH,
    scopes_supported: OAUTH_SCOPES,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: GRANT_TYPES,
    token_endpoint_auth_methods_supported: ['none', ...CLIENT_AUTHENTICATION],
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint_auth_methods_supported: ['none', ...CLIENT_AUTHENTICATION],
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    prompt_values_supported: ['none', 'login', 'select_account', 'consent'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: SIGNING_ALGORITHMS,
    dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
    claim_types_supported: ['normal'],
    claims_supported: CLAIMS,
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    // RFC 9728 §4
    protected_resources: [issuer, `${issuer}/api/v1`],
  };
}
