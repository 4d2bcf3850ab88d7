import type { CorsPath } from '../http/cors.js';

/** The paths of OAuth's endpoints. */
export const OAUTH_PATHS = {
  authorize: '/api/v1/oauth/authorize',
  token: '/api/v1/oauth/token',
  jwks: '/api/v1/oauth/jwks',
  register: '/api/v1/oauth/register',
  revoke: '/api/v1/oauth/revoke',
  introspect: '/api/v1/oauth/introspect',
  userinfo: '/api/v1/oauth/userinfo',
  /** OpenID Connect RP-Initiated Logout 1.0 §2 */
  endSession: '/api/v1/oauth/end-session',
  /** RFC 8414 §3 and OpenID Connect Discovery §4: the same document. */
  metadata: ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
} as const;

/** The endpoints that browsers may call from other origins: the answers of `perResponse` ones depend on the client. */
export const OAUTH_CORS: {
  readonly anyOrigin: readonly CorsPath[];
  readonly perResponse: readonly CorsPath[];
} = {
  anyOrigin: [
    ...OAUTH_PATHS.metadata.map((path) => ({ path, methods: 'GET, HEAD' })),
    { path: OAUTH_PATHS.jwks, methods: 'GET, HEAD' },
    { path: OAUTH_PATHS.register, methods: 'POST' },
    { path: `${OAUTH_PATHS.register}/:clientId`, methods: 'GET, HEAD, PUT, DELETE' },
  ],
  perResponse: [
    { path: OAUTH_PATHS.token, methods: 'POST' },
    { path: OAUTH_PATHS.revoke, methods: 'POST' },
    { path: OAUTH_PATHS.userinfo, methods: 'GET, HEAD, POST' },
  ],
};

/** The path of the page for a prompt. */
export function pageOf(prompt: string, uid: string): string {
  return `/${prompt === 'consent' ? 'consent' : 'login'}/${uid}`;
}
