import type { Context } from 'koa';

import type { SigningKeys } from '../../signing-keys/index.js';
import type { OAuthStores } from '../stores.js';
import { createConsoleSessions, type ConsoleSessions } from './browser-sessions.js';
import { createProtocol } from './protocol.js';
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
