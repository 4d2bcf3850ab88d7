import { beforeAll, describe, expect, it } from '@jest/globals';
import { Auth, type AuthConfig } from '@auth/core';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { Issuer, custom, generators } from 'openid-client-5';
import { AuthorizationCode } from 'simple-oauth2';

import { ITSELF } from '../support/app/app.js';
import { approve, createUser, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const SITE = 'https://app.example.com';
const SCOPE = 'openid profile email contacts:read offline_access';

/** Visits a site in one browser: keeps the cookies that the site sets, and sends them back. */
function visitor(handle: (request: Request) => Promise<Response>, headers: Record<string, string>) {
  const jar = new Map<string, string>();
  return async (path: string, body?: object | URLSearchParams) => {
    const isForm = body instanceof URLSearchParams;
    const request = new Request(new URL(path, SITE), {
      headers: {
        ...headers,
        ...(body !== undefined && !isForm && { 'Content-Type': 'application/json' }),
        Cookie: [...jar].map((pair) => pair.join('=')).join('; '),
      },
      ...(body !== undefined && { method: 'POST', body: isForm ? body : JSON.stringify(body) }),
    });
    const answer = await handle(request);
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/s);
      jar.set(name, value);
    }
    return answer;
  };
}

/** Libraries that server-side applications sign in with, unmodified and with their defaults. */
describe('a server-side application signs in', () => {
  const gatehouse = useGatehouse({ ISSUER: ITSELF });
  let user: TestUser;
  let issuer: string;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  });

  const register = (redirect: string, method = 'client_secret_basic') =>
    registerClient(gatehouse, {
      redirect_uris: [redirect],
      token_endpoint_auth_method: method,
    });
  const me = async (token: unknown) => {
    const headers = { Authorization: `Bearer ${String(token)}` };
    return (await fetch(`${issuer}/api/v1/me`, { headers })).status;
  };

  it('with openid-client 5, refreshes and revokes', async () => {
    custom.setHttpOptionsDefaults({ timeout: 10_000 });
    const redirect = `${SITE}/callback`;
    const { client_id: id, client_secret: secret } = await register(redirect);
    const discovered = await Issuer.discover(issuer);
    const client = new discovered.Client({
      client_id: id,
      client_secret: secret ?? '',
      redirect_uris: [redirect],
      response_types: ['code'],
    });
    const codeVerifier = generators.codeVerifier();
    const checks = { state: generators.state(), nonce: generators.nonce() };
    const url = client.authorizationUrl({
      scope: SCOPE,
      code_challenge: generators.codeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      state: checks.state,
      nonce: checks.nonce,
    });
    const callback = await approve(gatehouse, url, { user });
    const parameters = client.callbackParams(callback.href);
    const tokens = await client.callback(redirect, parameters, {
      state: checks.state,
      nonce: checks.nonce,
      code_verifier: codeVerifier,
    });
    expect(tokens.claims()).toMatchObject({ sub: user.id, aud: id });
    expect(await client.userinfo(tokens)).toMatchObject({ sub: user.id, email: user.email });

    const renewed = await client.refresh(tokens);
    expect(await me(renewed.access_token)).toBe(200);
    await client.revoke(renewed.refresh_token ?? '');
    expect(await me(renewed.access_token)).toBe(401);
  });

  it.each(['header', 'body'] as const)(
    'with simple-oauth2 (credentials in the %s), refreshes and revokes',
    async (authorizationMethod) => {
      const redirect = `${SITE}/simple`;
      const method =
        authorizationMethod === 'header' ? 'client_secret_basic' : 'client_secret_post';
      const { client_id: id, client_secret: secret = '' } = await register(redirect, method);
      const client = new AuthorizationCode({
        client: { id, secret },
        auth: {
          tokenHost: issuer,
          tokenPath: '/api/v1/oauth/token',
          revokePath: '/api/v1/oauth/revoke',
          authorizePath: '/api/v1/oauth/authorize',
        },
        options: { authorizationMethod },
      });
      // The library leaves PKCE to the application.
      const codeVerifier = generators.codeVerifier();
      const url = client.authorizeURL({
        redirect_uri: redirect,
        scope: ['contacts:read', 'offline_access'],
        state: 'a state',
        code_challenge: generators.codeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      } as Parameters<typeof client.authorizeURL>[0]);
      const callback = await approve(gatehouse, url, { user });
      const tokens = await client.getToken({
        code: callback.searchParams.get('code') ?? '',
        redirect_uri: redirect,
        code_verifier: codeVerifier,
      } as Parameters<typeof client.getToken>[0]);
      const renewed = await tokens.refresh();
      expect(await me(renewed.token['access_token'])).toBe(200);
      await renewed.revokeAll();
      expect(await me(renewed.token['access_token'])).toBe(401);
    },
  );

  it('with Auth.js', async () => {
    const redirect = `${SITE}/auth/callback/gatehouse`;
    const { client_id: clientId, client_secret: clientSecret } = await register(redirect);
    let signedIn: Record<string, unknown> = {};
    const config: AuthConfig = {
      basePath: '/auth',
      secret: 'a secret of the application itself',
      trustHost: true,
      providers: [
        {
          id: 'gatehouse',
          name: 'Gatehouse',
          type: 'oidc',
          issuer,
          clientId,
          clientSecret: clientSecret ?? '',
          authorization: { params: { scope: SCOPE } },
          checks: ['pkce', 'state', 'nonce'],
        },
      ],
      callbacks: {
        signIn({ account, profile }) {
          signedIn = { ...account, profile };
          return true;
        },
      },
      logger: { error: (error) => expect(error).toBeUndefined() },
    };
    const visit = visitor((request) => Auth(request, config), { 'X-Auth-Return-Redirect': '1' });
    const { csrfToken } = (await (await visit('/auth/csrf')).json()) as { csrfToken: string };
    const { url } = (await (
      await visit('/auth/signin/gatehouse', new URLSearchParams({ csrfToken, callbackUrl: SITE }))
    ).json()) as { url: string };
    const callback = await approve(gatehouse, url, { user });
    await visit(callback.pathname + callback.search);

    expect(signedIn).toMatchObject({ profile: { sub: user.id, email: user.email } });
    expect(await me(signedIn['access_token'])).toBe(200);
    expect(await (await visit('/auth/session')).json()).toMatchObject({
      user: { email: user.email },
    });
  });

  it("with better-auth's generic provider, and refreshes", async () => {
    const redirect = `${SITE}/api/auth/oauth2/callback/gatehouse`;
    const { client_id: clientId, client_secret: clientSecret = '' } = await register(
      redirect,
      'client_secret_post',
    );
    const auth = betterAuth({
      baseURL: SITE,
      secret: 'a secret of the application itself',
      database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
      telemetry: { enabled: false },
      plugins: [
        genericOAuth({
          config: [
            {
              providerId: 'gatehouse',
              discoveryUrl: `${issuer}/.well-known/openid-configuration`,
              clientId,
              clientSecret,
              scopes: SCOPE.split(' '),
              pkce: true,
            },
          ],
        }),
      ],
    });
    const visit = visitor(auth.handler, { Origin: SITE });
    const started = await visit('/api/auth/sign-in/oauth2', {
      providerId: 'gatehouse',
      callbackURL: '/home',
    });
    const { url } = (await started.json()) as { url: string };
    const callback = await approve(gatehouse, url, { user });
    const ended = await visit(callback.pathname + callback.search);
    expect(ended.headers.get('Location')).toBe('/home');
    expect(await (await visit('/api/auth/get-session')).json()).toMatchObject({
      user: { email: user.email },
    });

    const refreshed = await visit('/api/auth/refresh-token', { providerId: 'gatehouse' });
    const tokens = (await refreshed.json()) as { accessToken: string };
    expect(await me(tokens.accessToken)).toBe(200);
  });
});
