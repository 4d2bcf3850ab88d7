import type Koa from 'koa';

import type { RequestState } from './context.js';

/**
 * What a request says of the host and the scheme that it came to is never believed: both are the
 * issuer's, for cookies and addresses alike.
 */
export function believeIssuer(koa: Koa<RequestState>, issuer: string): void {
  const { host, protocol } = new URL(issuer);
  Object.defineProperties(koa.request, {
    host: { get: () => host },
    protocol: { get: () => protocol.slice(0, -1) },
  });
}
