import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as oauth from 'oauth4webapi';

import { createTestApp, ITSELF, type TestApp } from '../support/app/app.js';
import { approve, createUser, REDIRECT, type TestUser } from '../support/oauth/oauth.js';

const SCOPE = 'contacts:read offline_access openid email';
const INSECURE = { [oauth.allowInsecureRequests]: true };

interface Signed {
  readonly as: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly authentication: oauth.ClientAuth;
  readonly tokens: oauth.TokenEndpointResponse;
}

/** A library that checks the RFCs step by step. */
describe('oauth4webapi', () => {
  let gatehouse: TestApp;
  let user: TestUser;
  let issuer: URL;
  beforeAll(async () => {
    gatehouse = await createTestApp({ ISSUER: ITSELF });
    issuer = new URL(gatehouse.config.ISSUER);
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  });
  afterAll(() => gatehouse.close());

  async function discover(algorithm: 'oidc' | 'oauth2' = 'oauth2') {
    const response = await oauth.discoveryRequest(issuer, { algorithm, ...INSECURE });
    return oauth.processDiscoveryResponse(issuer, response);
  }

  async function register(as: oauth.AuthorizationServer, method: string) {
    const metadata = {
      client_name: `Client by ${method}`,
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: method,
      scope: SCOPE,
    };
    const response = await oauth.dynamicClientRegistrationRequest(as, metadata, INSECURE);
    const client = await oauth.processDynamicClientRegistrationResponse(response);
    expect(client.token_endpoint_auth_method).toBe(method);
    return client;
  }

  function authenticationOf(client: oauth.Client): oauth.ClientAuth {
    const { token_endpoint_auth_method: method, client_secret: secret } = client;
    if (method === 'none' || typeof secret !== 'string') return oauth.None();
    return method === 'client_secret_basic'
      ? oauth.ClientSecretBasic(secret)
      : oauth.ClientSecretPost(secret);
  }

  async function signIn(method: string): Promise<Signed> {
    const as = await discover();
    const client = await register(as, method);
    const authentication = authenticationOf(client);
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const url = new URL(as.authorization_endpoint ?? '');
    url.search = new URLSearchParams({
      client_id: client.client_id,
      response_type: 'code',
      redirect_uri: REDIRECT,
      scope: SCOPE,
      state,
      nonce,
      code_challenge_method: 'S256',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    }).toString();
    const callback = await approve(gatehouse, url.href, { user });
    const parameters = oauth.validateAuthResponse(as, client, callback, state);
    const response = await oauth.authorizationCodeGrantRequest(
      ...([as, client, authentication, parameters, REDIRECT, verifier, INSECURE] as const),
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    await oauth.validateApplicationLevelSignature(as, response, INSECURE);
    return { as, client, authentication, tokens };
  }

  async function refresh({ as, client, authentication }: Signed, token = '') {
    const response = await oauth.refreshTokenGrantRequest(
      ...([as, client, authentication, token, INSECURE] as const),
    );
    return oauth.processRefreshTokenResponse(as, client, response);
  }

  async function introspect({ as, client, authentication }: Signed, token: string) {
    const response = await oauth.introspectionRequest(
      ...([as, client, authentication, token, INSECURE] as const),
    );
    return oauth.processIntrospectionResponse(as, client, response);
  }

  async function revoke({ as, client, authentication }: Signed, token = '') {
    const response = await oauth.revocationRequest(
      ...([as, client, authentication, token, INSECURE] as const),
    );
    return oauth.processRevocationResponse(response);
  }

  it('discovers the same server in both ways', async () => {
    const found = await discover('oidc');
    expect(found).toEqual(await discover('oauth2'));
    expect(found).toMatchObject({
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ['S256'],
    });
  });

  it.each(['', '/api/v1'])(
    'discovers the resource %s and its authorization server',
    async (path) => {
      const resource = new URL(issuer.origin + path);
      const response = await oauth.resourceDiscoveryRequest(resource, INSECURE);
      const found = await oauth.processResourceDiscoveryResponse(resource, response);
      expect(found.authorization_servers).toEqual([issuer.origin]);
    },
  );

  it.each(['none', 'client_secret_basic', 'client_secret_post'])(
    'signs in, reads userinfo, refreshes and revokes by %s',
    async (method) => {
      const signed = await signIn(method);
      const { as, client, tokens } = signed;
      const { sub } = oauth.getValidatedIdTokenClaims(tokens) ?? {};
      expect(sub).toBe(user.id);
      const response = await oauth.userInfoRequest(as, client, tokens.access_token, INSECURE);
      const info = await oauth.processUserInfoResponse(as, client, user.id, response);
      expect(info).toMatchObject({ email: user.email, role: 'company_admin' });

      const renewed = await refresh(signed, tokens.refresh_token);
      expect(renewed.scope).toBe(SCOPE);
      await revoke(signed, renewed.refresh_token);
      await expect(refresh(signed, renewed.refresh_token)).rejects.toMatchObject({
        error: 'invalid_grant',
      });
      await expect(
        oauth.userInfoRequest(as, client, renewed.access_token, INSECURE),
      ).resolves.toHaveProperty('status', 401);
    },
  );

  it.each(['client_secret_basic', 'client_secret_post'])('introspects by %s', async (method) => {
    const signed = await signIn(method);
    const { access_token: token } = signed.tokens;
    const found = await introspect(signed, token);
    expect(found).toMatchObject({ active: true, client_id: signed.client.client_id });
    await revoke(signed, token);
    expect(await introspect(signed, token)).toEqual({ active: false });
    expect(await introspect(signed, 'anything')).toEqual({ active: false });
  });
});
