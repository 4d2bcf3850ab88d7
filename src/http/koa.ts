import Koa from 'koa';
import type { Logger } from 'pino';

import { errorMessage } from '../db/errors.js';
import type { RequestState } from './context.js';
import { referenceOf } from './request-facts.js';

interface Dependencies {
  readonly issuer: string;
  readonly log: Logger;
  /** A Keygrip, which signs cookies. */
  readonly cookieSigner: object;
}

/** Makes the Koa application, without middleware. */
export function createKoa({ issuer, log, cookieSigner }: Dependencies): Koa<RequestState> {
  const koa = new Koa<RequestState>();
  koa.keys = cookieSigner as string[];
  useIssuerOrigin(koa, issuer);
  // Only connection errors arrive here. Koa would print them. Request errors are handled in the middleware.
  koa.on('error', (error, ctx?: Parameters<typeof referenceOf>[0]) =>
    log.debug({ ...(ctx && referenceOf(ctx)), cause: errorMessage(error) }, 'a connection broke'),
  );
  return koa;
}

/** Makes Koa take host and scheme from the issuer, for cookies and URLs. The `Host` header is not trusted. */
function useIssuerOrigin(koa: Koa<RequestState>, issuer: string): void {
  const { host, protocol } = new URL(issuer);
  Object.defineProperties(koa.request, {
    host: { get: () => host },
    protocol: { get: () => protocol.slice(0, -1) },
  });
}
