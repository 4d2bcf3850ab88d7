import type { Middleware } from 'koa';

/**
 * Headers that every answer carries. They say the strictest thing that is right for an API; what
 * is public or a page says something milder for itself.
 *
 * @param issuer our own origin: over https it also asks browsers to stay there (RFC 6797)
 */
export function createSecurityHeaders(issuer: string): Middleware {
  const headers = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    ...(issuer.startsWith('https://') && {
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    }),
  };
  return (ctx, next) => {
    ctx.set(headers);
    return next();
  };
}
