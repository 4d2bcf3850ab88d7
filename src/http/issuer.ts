import type Koa from 'koa';

import type { RequestState } from './context.js';

/**
 * Makes Koa take host and scheme from the issuer, for cookies and URLs. The `Host` header is not trusted.
 */
export function useIssuerOrigin(koa: Koa<RequestState>, issuer: string): void {
  const { host, protocol } = new URL(issuer);
  Object.defineProperties(koa.request, {
    host: { get: () => host },
    protocol: { get: () => protocol.slice(0, -1) },
  });
}
