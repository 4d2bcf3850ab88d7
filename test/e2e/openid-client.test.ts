import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import * as openid from 'openid-client';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
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

const { allowInsecureRequests } = openid;
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const SCOPE = 'contacts:read contacts:write offline_access openid profile email';

/** A library that knows nothing of this server, over plain HTTP because the test's issuer is. */
describe('openid-client', () => {
  const gatehouse = useGatehouse({ ISSUER: ITSELF });
  let tenant: Tenant;
  let user: TestUser;
  let issuer: URL;
  beforeAll(async () => {
    issuer = new URL(gatehouse.config.ISSUER);
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  });

  const register = (name: string, method: string, authentication?: openid.ClientAuth) =>
    openid.dynamicClientRegistration(
      issuer,
      { client_name: name, redirect_uris: [REDIRECT], token_endpoint_auth_method: method },
      authentication,
      { execute: [allowInsecureRequests] },
    );

  /** All checks that the library makes by default, and those of state and nonce. */
  async function signIn(
    config: openid.Configuration,
    more: Record<string, string> = {},
    dpop: openid.DPoPOptions = {},
  ) {
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const expectedState = openid.randomState();
    const expectedNonce = openid.randomNonce();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: SCOPE,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
      ...more,
    });
    const callback = await approve(gatehouse, url.href, { user });
    const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
    return openid.authorizationCodeGrant(config, callback, checks, undefined, dpop);
  }

  it('completes the flow as a public client', async () => {
    const config = await register('Public', 'none', openid.None());
    openid.enableNonRepudiationChecks(config);
    expect(config.serverMetadata().supportsPKCE()).toBe(true);

    const tokens = await signIn(config);
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: SCOPE });
    expect(tokens.claims()).toMatchObject({ sub: user.id, aud: config.clientMetadata().client_id });

    const info = await openid.fetchUserInfo(config, tokens.access_token, user.id);
    expect(info).toMatchObject({ sub: user.id, email: user.email, tenant_id: tenant.id });
    expect(info['scopes']).toEqual(expect.arrayContaining(['contacts:read', 'contacts:write']));

    const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '');
    expect(renewed.refresh_token).not.toBe(tokens.refresh_token);
    expect(renewed.claims()?.sub).toBe(user.id);
    const contacts = () =>
      openid.fetchProtectedResource(
        config,
        renewed.access_token,
        new URL('/api/v1/contacts', issuer),
        'GET',
      );
    expect((await contacts()).status).toBe(200);

    await openid.tokenRevocation(config, renewed.refresh_token ?? '');
    await expect(contacts()).rejects.toMatchObject({
      code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE',
      status: 401,
    });
    await expect(
      openid.refreshTokenGrant(config, renewed.refresh_token ?? ''),
    ).rejects.toMatchObject({ error: 'invalid_grant', status: 400 });
  });

  it('binds its tokens to a key (DPoP)', async () => {
    const config = await register('Bound', 'none', openid.None());
    const keys = await openid.randomDPoPKeyPair('ES256');
    const bound = { DPoP: openid.getDPoPHandle(config, keys) };

    const tokens = await signIn(
      config,
      { dpop_jkt: await bound.DPoP.calculateThumbprint() },
      bound,
    );
    expect(tokens.token_type).toBe('dpop');
    const renewed = await openid.refreshTokenGrant(
      config,
      tokens.refresh_token ?? '',
      undefined,
      bound,
    );
    const info = await openid.fetchUserInfo(config, renewed.access_token, user.id, bound);
    expect(info.sub).toBe(user.id);
    const url = new URL('/api/v1/contacts?limit=1', issuer);
    const contacts = (options: openid.DPoPOptions) =>
      openid.fetchProtectedResource(
        config,
        renewed.access_token,
        url,
        'GET',
        undefined,
        undefined,
        options,
      );
    expect((await contacts(bound)).status).toBe(200);
    await expect(contacts({})).rejects.toMatchObject({ status: 401 });
  });

  it.each([
    ['client_secret_post', openid.ClientSecretPost],
    ['client_secret_basic', openid.ClientSecretBasic],
  ])('completes the flow as a confidential client by %s', async (method, authentication) => {
    const registered = await register(`Backend by ${method}`, method);
    const { client_id: id, client_secret: secret } = registered.clientMetadata();
    const config = await openid.discovery(issuer, id, undefined, authentication(secret), {
      algorithm: 'oauth2',
      execute: [allowInsecureRequests],
    });

    const tokens = await signIn(config, { resource: `${issuer.origin}/api/v1` });
    const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', {
      scope: 'contacts:read',
    });
    expect(renewed.scope).toBe('contacts:read');
    expect(await openid.tokenIntrospection(config, renewed.access_token)).toMatchObject({
      active: true,
      client_id: id,
      sub: user.id,
      scope: 'contacts:read',
      tenant_id: tenant.id,
      iss: issuer.origin,
      aud: `${issuer.origin}/api/v1`,
    });
    expect(await openid.tokenIntrospection(config, renewed.refresh_token ?? '')).toMatchObject({
      active: true,
      client_id: id,
    });

    await openid.tokenRevocation(config, renewed.access_token);
    const after = await openid.tokenIntrospection(config, renewed.access_token);
    expect(after).toEqual({ active: false });
    await openid.tokenRevocation(config, renewed.refresh_token ?? '');
    await expect(
      openid.refreshTokenGrant(config, renewed.refresh_token ?? ''),
    ).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('completes the flow as a client with a key (RFC 7523)', async () => {
    const pair = await generateKeyPair('PS256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'own' };
    const { client_id: id } = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
    });
    const authentication = openid.PrivateKeyJwt({ key: pair.privateKey, kid: 'own' });
    const config = await openid.discovery(issuer, id, undefined, authentication, {
      execute: [allowInsecureRequests],
    });

    const tokens = await signIn(config);
    const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '');
    const facts = await openid.tokenIntrospection(config, renewed.access_token);
    expect(facts).toMatchObject({ active: true, client_id: id });
    await openid.tokenRevocation(config, renewed.refresh_token ?? '');
  });

  it('pushes its request (RFC 9126)', async () => {
    const config = await register('Pushing', 'client_secret_basic');
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const url = await openid.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: REDIRECT,
      scope: SCOPE,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    });
    expect([...url.searchParams.keys()].toSorted()).toEqual(['client_id', 'request_uri']);

    const callback = await approve(gatehouse, url.href, { user });
    const tokens = await openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier });
    expect(tokens.claims()?.sub).toBe(user.id);
  });

  it('connects a device (RFC 8628)', async () => {
    const { client_id: id } = await registerClient(gatehouse, {
      grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
    });
    const config = await openid.discovery(issuer, id, undefined, openid.None(), {
      execute: [allowInsecureRequests],
    });
    const device = await openid.initiateDeviceAuthorization(config, { scope: SCOPE });
    expect(device).toMatchObject({ expires_in: 600, interval: 5 });
    await createDeviceUser(gatehouse, user).decide(device.user_code, 'approve');

    // The library waits for the interval before its first poll.
    const tokens = await openid.pollDeviceAuthorizationGrant(config, { ...device, interval: 0 });
    expect(tokens.scope).toBe(SCOPE);
    const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '');
    expect(renewed.claims()?.sub).toBe(user.id);
  });

  it.each([
    ['bearer', undefined],
    ['dpop', 'ES256'],
  ])('exchanges a key, and is a key, for %s tokens (RFC 8693)', async (type, algorithm) => {
    const { id, secret } = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const authentication = openid.ClientSecretBasic(secret);
    const config = await openid.discovery(issuer, id, undefined, authentication, {
      execute: [allowInsecureRequests],
    });
    const keys = algorithm && (await openid.randomDPoPKeyPair(algorithm));
    const bound = keys ? { DPoP: openid.getDPoPHandle(config, keys) } : {};
    const resource = `${issuer.origin}/api/v1`;
    const exchanged = await openid.genericGrantRequest(
      config,
      'urn:ietf:params:oauth:grant-type:token-exchange',
      { subject_token: secret, subject_token_type: ACCESS_TOKEN, resource },
      bound,
    );
    expect(exchanged).toMatchObject({ token_type: type, issued_token_type: ACCESS_TOKEN });
    const own = await openid.clientCredentialsGrant(config, { scope: 'contacts:read' }, bound);
    for (const { access_token: token, scope } of [exchanged, own]) {
      expect(scope).toBe('contacts:read');
      const url = new URL('/api/v1/contacts', issuer);
      const answer = await openid.fetchProtectedResource(
        ...([config, token, url, 'GET', undefined, undefined, bound] as const),
      );
      expect(answer.status).toBe(200);
      await openid.tokenRevocation(config, token);
      await expect(
        openid.fetchProtectedResource(
          ...([config, token, url, 'GET', undefined, undefined, bound] as const),
        ),
      ).rejects.toMatchObject({ status: 401 });
    }
  });

  it('reports the user’s refusal, after the checks of state and issuer', async () => {
    const config = await register('Refused', 'none', openid.None());
    const expectedState = openid.randomState();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: 'contacts:read',
      code_challenge: await openid.calculatePKCECodeChallenge(openid.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
      state: expectedState,
    });
    const callback = await approve(gatehouse, url.href, { user, scope: [] });
    await expect(
      openid.authorizationCodeGrant(config, callback, { expectedState }),
    ).rejects.toMatchObject({ error: 'access_denied', code: 'OAUTH_AUTHORIZATION_RESPONSE_ERROR' });
  });
});
