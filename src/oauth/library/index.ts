import type { Context, Middleware } from 'koa';
import compose from 'koa-compose';
import type Provider from 'oidc-provider';

import type { RequestState } from '../../http/context.js';
import type { SigningKeySnapshot, SigningKeys } from '../../signing-keys/index.js';
import type { OAuthStores } from '../stores.js';
import { createConsoleSessions, type ConsoleSessions } from './browser-sessions.js';
import { createProtocolSessions } from './protocol-sessions.js';
import { cookiesOf, createProvider, type ProviderDependencies } from './provider.js';

interface Dependencies extends Omit<ProviderDependencies, 'adapter' | 'secrets'> {
  readonly codes: ProviderDependencies['adapter']['codes'];
  readonly interactions: ProviderDependencies['adapter']['interactions'];
  readonly stores: Pick<
    OAuthStores,
    'findClient' | 'findFormerAccount' | 'hasPassword' | 'secrets' | 'sessions'
  >;
  readonly signingKeys: SigningKeys;
  readonly clientAddress: (request: Context['req']) => string;
}

/** oidc-provider, and the browser sessions that it stores. */
export interface Library extends ReturnType<typeof createProtocol> {
  readonly cookies: ReturnType<typeof cookiesOf>;
  /** The sessions of browsers, for sign-in and sign-out outside of an authorization. */
  readonly sessions: ConsoleSessions;
}

export function createLibrary(dependencies: Dependencies): Library {
  const { issuer, stores, codes, interactions, signingKeys, clientAddress } = dependencies;
  const { sessions, findClient, findFormerAccount, hasPassword, secrets } = stores;
  const adapter = {
    codes,
    interactions,
    sessions: createProtocolSessions(sessions, clientAddress),
    findClient,
  };
  const protocol = createProtocol(signingKeys, (signing) =>
    createProvider({ ...dependencies, adapter, secrets }, signing),
  );
  const cookies = cookiesOf(issuer);
  return {
    ...protocol,
    cookies,
    sessions: createConsoleSessions({
      provider: protocol.provider,
      sessions,
      cookies,
      hasPassword,
      findFormerAccount,
      clientAddress,
    }),
  };
}

/**
 * The instance of oidc-provider, recreated when the signing keys change. Requests in flight keep their instance.
 */
function createProtocol(
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
