import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';

import { ITSELF } from '../support/app/app.js';
import { createDeviceUser } from '../support/oauth/device.js';
import {
  approve,
  createUser,
  REDIRECT,
  registerClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
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
  const gatehouse = useGatehouse({ ISSUER: ITSELF });
  let user: TestUser;
  let issuer: URL;
  beforeAll(async () => {
    issuer = new URL(gatehouse.config.ISSUER);
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  });

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

  /** A client with a key of its own, by which it authenticates. */
  async function registerWithKey(): Promise<Omit<Signed, 'tokens'>> {
    const pair = await oauth.generateKeyPair('ES256', { extractable: true });
    const { client_id } = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
      jwks: { keys: [await exportJWK(pair.publicKey)] },
    });
    const authentication = oauth.PrivateKeyJwt(pair.privateKey);
    return { as: await discover(), client: { client_id }, authentication };
  }

  it('pushes a request, bound to its key, by private_key_jwt (RFC 9126, 9449, 7523)', async () => {
    const { as, client, authentication } = await registerWithKey();
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const options = { DPoP, ...INSECURE };
    const verifier = oauth.generateRandomCodeVerifier();
    const parameters = {
      client_id: client.client_id,
      response_type: 'code',
      redirect_uri: REDIRECT,
      scope: SCOPE,
      code_challenge_method: 'S256',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    };
    const pushed = await oauth.pushedAuthorizationRequest(
      ...([as, client, authentication, parameters, options] as const),
    );
    const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, pushed);
    const url = new URL(as.authorization_endpoint ?? '');
    url.search = new URLSearchParams({ client_id: client.client_id, request_uri }).toString();
    const callback = await approve(gatehouse, url.href, { user });
    const answer = oauth.validateAuthResponse(as, client, callback, oauth.expectNoState);
    const response = await oauth.authorizationCodeGrantRequest(
      ...([as, client, authentication, answer, REDIRECT, verifier, options] as const),
    );
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response);
    expect(tokens.token_type).toBe('dpop');

    const again = await oauth.refreshTokenGrantRequest(
      ...([as, client, authentication, tokens.refresh_token ?? '', options] as const),
    );
    const renewed = await oauth.processRefreshTokenResponse(as, client, again);
    const contacts = new URL('/api/v1/contacts', issuer);
    const read = (more: object) =>
      oauth.protectedResourceRequest(
        ...([renewed.access_token, 'GET', contacts, undefined, undefined, more] as const),
      );
    expect((await read(options)).status).toBe(200);
    await expect(read(INSECURE)).rejects.toMatchObject({ status: 401 });
  });

  it('connects a device by private_key_jwt (RFC 8628)', async () => {
    const signed = await registerWithKey();
    const { as, client, authentication } = signed;
    const begun = await oauth.deviceAuthorizationRequest(
      ...([as, client, authentication, { scope: SCOPE }, INSECURE] as const),
    );
    const device = await oauth.processDeviceAuthorizationResponse(as, client, begun);
    const poll = async () => {
      const response = await oauth.deviceCodeGrantRequest(
        ...([as, client, authentication, device.device_code, INSECURE] as const),
      );
      return oauth.processDeviceCodeResponse(as, client, response);
    };
    await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending', status: 400 });
    await createDeviceUser(gatehouse, user).decide(device.user_code, 'approve');
    await gatehouse.database.shiftClock('6 s');
    const tokens = await poll();
    await gatehouse.database.shiftClock('0');
    expect(oauth.getValidatedIdTokenClaims(tokens)?.sub).toBe(user.id);
    expect((await introspect({ ...signed, tokens }, tokens.access_token)).active).toBe(true);
  });

  it('exchanges a key (RFC 8693)', async () => {
    const tenant = await gatehouse.createTenant('exchanging');
    const { id, secret } = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const as = await discover();
    const client = { client_id: id };
    const authentication = oauth.ClientSecretPost(secret);
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      authentication,
      'urn:ietf:params:oauth:grant-type:token-exchange',
      { subject_token: secret, subject_token_type: ACCESS_TOKEN },
      INSECURE,
    );
    const tokens = await oauth.processGenericTokenEndpointResponse(as, client, response);
    expect(tokens).toMatchObject({ scope: 'contacts:read', issued_token_type: ACCESS_TOKEN });
    expect(tokens.refresh_token).toBeUndefined();

    const asKey = await oauth.clientCredentialsGrantRequest(
      ...([as, client, authentication, { scope: 'contacts:read' }, INSECURE] as const),
    );
    const own = await oauth.processClientCredentialsResponse(as, client, asKey);
    expect(own.expires_in).toBe(3600);
  });
});
