import type { Middleware } from 'koa';

/**
 * Headers that every answer carries. They say what is right for an API: not to be stored and not to
 * be taken for anything but JSON. What is public or a page says more for itself.
 *
 * @param issuer our own origin: over https it also asks browsers to stay there (RFC 6797)
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
