import type { Middleware } from 'koa';
import compose from 'koa-compose';
import type Provider from 'oidc-provider';

import type { RequestState } from '../../http/context.js';
import type { SigningKeySnapshot, SigningKeys } from '../../signing-keys/index.js';

/**
 * The instance of oidc-provider, recreated when the signing keys change. Requests in flight keep their instance.
 */
export function createProtocol(
  signingKeys: SigningKeys,
  make: (signing: SigningKeySnapshot['signing']) => Provider,
) {
  let made: { readonly id: string; readonly provider: Provider; readonly middleware: Middleware };
  const current = () => {
    const { id, signing } = signingKeys.current();
    if (made === undefined || made.id !== id) {
      const provider = make(signing);
      made = { id, provider, middleware: compose(provider.middleware) as unknown as Middleware };
    }
    return made;
  };
  return {
    provider: () => current().provider,
    middleware: ((ctx, next) =>
      current().middleware(ctx, next)) as Middleware<RequestState> as Middleware,
  };
}
