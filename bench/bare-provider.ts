import { writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import Provider, { type Adapter, type AdapterPayload, type Configuration } from 'oidc-provider';

import { OAUTH_PATHS } from '../src/oauth/paths.js';
import * as fixture from './oauth-fixture.js';

/**
 * Baseline for Gatehouse's endpoints: the library as its own documentation sets it up, with
 * everything in a Map, which no server could do that has to know its tokens tomorrow or has a sibling.
 *
 * At its start it makes the tokens that the load presents, and writes them to a file.
 */
function createMapAdapter(model: string): Adapter {
  const stored = new Map<string, AdapterPayload>();
  const unneeded = () => Promise.reject(new Error(`not provided for: ${model}`));
  return {
    upsert: async (id, payload) => void stored.set(id, payload),
    find: async (id) => stored.get(id),
    consume: async (id) => {
      const payload = stored.get(id);
      if (payload !== undefined) payload['consumed'] = Math.floor(Date.now() / 1000);
    },
    destroy: async (id) => void stored.delete(id),
    findByUserCode: unneeded,
    findByUid: unneeded,
    revokeByGrantId: unneeded,
  };
}

const common = {
  redirect_uris: [fixture.REDIRECT],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'] as const,
  id_token_signed_response_alg: 'ES256' as const,
};

const configuration: Configuration = {
  adapter: createMapAdapter,
  clients: [
    { ...common, client_id: fixture.PUBLIC_CLIENT, token_endpoint_auth_method: 'none' },
    {
      ...common,
      client_id: fixture.CONFIDENTIAL_CLIENT,
      client_secret: fixture.CLIENT_SECRET,
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ] as NonNullable<Configuration['clients']>,
  jwks: {
    keys: [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
    ] as NonNullable<Configuration['jwks']>['keys'],
  },
  cookies: { keys: ['unused'] },
  routes: {
    token: OAUTH_PATHS.token,
    introspection: OAUTH_PATHS.introspect,
    userinfo: OAUTH_PATHS.userinfo,
  },
  scopes: [...new Set(Object.values(fixture.TOKENS).flatMap(({ scope }) => scope.split(' ')))],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  expiresWithSession: async () => false,
  rotateRefreshToken: () => true,
  findAccount: async (_ctx, accountId) => ({
    accountId,
    claims: async () => ({ sub: accountId, ...fixture.ACCOUNT }),
  }),
  ttl: { AccessToken: 3600, AuthorizationCode: 3600, IdToken: 3600, RefreshToken: 30 * 86_400 },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: async () => true },
    userinfo: { enabled: true },
  },
};

/** A token like those that a user's consent would have left. */
async function mint(provider: Provider, kind: fixture.TokenKind, number: number): Promise<string> {
  const { clientId, scope } = fixture.TOKENS[kind];
  const accountId = `usr_${number % 1000}`;
  const client = await provider.Client.find(clientId);
  if (client === undefined) throw new Error('the client is missing');
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(scope);
  const facts = { accountId, client, scope, grantId: await grant.save(), authTime: 1 };
  if (kind === 'code') {
    return new provider.AuthorizationCode({
      ...facts,
      redirectUri: fixture.REDIRECT,
      codeChallenge: fixture.CODE_CHALLENGE,
      codeChallengeMethod: 'S256',
    } as unknown as ConstructorParameters<Provider['AuthorizationCode']>[0]).save();
  }
  const Model = kind.startsWith('refresh') ? provider.RefreshToken : provider.AccessToken;
  return new Model({ ...facts, gty: 'authorization_code' } as never).save();
}

console.warn = () => undefined;
const { PORT, BENCH_KIND, BENCH_COUNT, BENCH_FILE = '' } = process.env;
const provider = new Provider(fixture.ISSUER, configuration);
const tokens: string[] = [];
for (let number = 0; number < Number(BENCH_COUNT); number += 1) {
  tokens.push(await mint(provider, BENCH_KIND as fixture.TokenKind, number));
}
writeFileSync(BENCH_FILE, tokens.join('\n'));
const server = provider.listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => server.close().closeAllConnections());
