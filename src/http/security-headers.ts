/**
 * The security headers of every answer, names and values in turn. Their values suit the API. Pages and public documents
 * override them.
 *
 * @param issuer the server's origin. With https, Strict-Transport-Security is sent (RFC 6797)
 */
export function securityHeadersFor(issuer: string): readonly string[] {
  const transport = issuer.startsWith('https://')
    ? ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains']
    : [];
  return ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff', ...transport];
}
