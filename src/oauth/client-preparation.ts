import type { Context } from 'koa';

import type { ClientDocuments } from '../clients/index.js';
import type { RequestState } from '../http/context.js';
import { tooManyRequests } from '../http/errors/oauth-error.js';

/**
 * Fetches the metadata document that a client id names, before the client is authenticated. Without a usable document the
 * client is unknown.
 *
 * @throws OAuthError 429
 */
export type PrepareClient = (ctx: Context, clientId: string) => Promise<void>;

export function createClientPreparation(
  prepare: ClientDocuments['prepare'],
  clientAddress: (request: Context['req']) => string,
): PrepareClient {
  return async (ctx, clientId) => {
    const { requestId } = ctx.state as RequestState;
    const fault = await prepare(clientId, { address: clientAddress(ctx.req), requestId });
    if (fault?.fault !== 'throttled') return;
    throw tooManyRequests('Too many clients from your address', fault.retryAfterSeconds);
  };
}
