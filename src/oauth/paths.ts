/** The paths of OAuth's endpoints. */
export const OAUTH_PATHS = {
  authorize: '/api/v1/oauth/authorize',
  token: '/api/v1/oauth/token',
  device: '/api/v1/oauth/device',
  par: '/api/v1/oauth/par',
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

/** The path of the page for a prompt. */
export function pageOf(prompt: string, uid: string): string {
  return `/${prompt === 'consent' ? 'consent' : 'login'}/${uid}`;
}
