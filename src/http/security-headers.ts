import type { Middleware } from 'koa';

/**
 * Sets the security headers of every answer. Their values suit the API. Pages and public documents override them.
 *
 * @param issuer the server's origin. With https, Strict-Transport-Security is set (RFC 6797)
 */
export function createSecurityHeaders(issuer: string): Middleware {
  const headers = Object.entries({
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(issuer.startsWith('https://') && {
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    }),
  });
  return (ctx, next) => {
    for (const [name, value] of headers) ctx.res.setHeader(name, value);
    return next();
  };
}
