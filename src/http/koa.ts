import Koa, { type Context } from 'koa';
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
  watchOwnAnswersOnly(koa);
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

interface Handler {
  handleRequest(ctx: Context, run: (ctx: Context) => Promise<void>): Promise<void>;
}

/**
 * Makes Koa watch the end of an answer only if Koa sends it. Otherwise it would attach its listeners to every response
 * (perf: decision 22).
 */
function watchOwnAnswersOnly(koa: Koa<RequestState>): void {
  const handler = koa as unknown as Handler;
  const answer = handler.handleRequest.bind(koa);
  handler.handleRequest = async (ctx, run) => {
    ctx.res.statusCode = 404;
    try {
      await run(ctx);
    } catch (error) {
      ctx.onerror(error as Error);
      return;
    }
    if (ctx.respond === false) return;
    const { statusCode } = ctx.res;
    await answer(ctx, async () => {
      // Koa begins with 404.
      ctx.res.statusCode = statusCode;
    });
  };
}
