import { beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';

import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import {
  authenticationOf,
  expectOAuthError,
  getCodeForm,
  refresh,
} from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const FORM = 'application/x-www-form-urlencoded';

/** Validation of a refresh request, before the token is judged. */
describe('a refresh request', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let user: TestUser;
  let open: TestClient;
  let byBasic: TestClient;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    open = await registerClient(gatehouse);
    const metadata = { token_endpoint_auth_method: 'client_secret_basic' };
    byBasic = await registerClient(gatehouse, metadata);
  });

  const start = async (client: TestClient, parameters: Record<string, string> = {}) =>
    (await getTokens(gatehouse, { client, user, parameters })).refresh_token ?? '';
  const send = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${gatehouse.origin}/api/v1/oauth/token`, {
      method: 'POST',
      headers: { 'Content-Type': FORM, ...headers },
      body,
    });
  const formOf = (client: TestClient, token: string): Record<string, string> => ({
    grant_type: 'refresh_token',
    refresh_token: token,
    ...authenticationOf(client),
  });
  const asBasic = ({ client_id, client_secret = '' }: TestClient) => ({
    Authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`,
  });

  it('accepts client authentication in the header or in the form', async () => {
    const token = await start(byBasic);
    const { client_id: _id, client_secret: _secret, ...form } = formOf(byBasic, token);
    const answer = await post(gatehouse, 'token', form, asBasic(byBasic));
    expect(answer.status).toBe(200);
    const { refresh_token: next } = (await answer.json()) as TokenResponse;
    expect((await refresh(gatehouse, byBasic, next)).status).toBe(200);
  });

  it('accepts a percent-encoded id and secret in the header', async () => {
    const encode = (text = '') =>
      text.replaceAll(/./g, (char) => `%${char.charCodeAt(0).toString(16)}`);
    const { client_id: id, client_secret: secret } = byBasic;
    const headers = { Authorization: `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}` };
    const form = { grant_type: 'refresh_token', refresh_token: await start(byBasic) };
    const answer = await post(gatehouse, 'token', form, headers);
    expect(answer.status).toBe(200);
    const { refresh_token: token = '', access_token: access } =
      (await answer.json()) as TokenResponse;
    const introspected = await post(gatehouse, 'introspect', { token: access }, headers);
    expect(await introspected.json()).toMatchObject({ active: true });
    expect((await post(gatehouse, 'revoke', { token }, headers)).status).toBe(200);
    await expectOAuthError(await refresh(gatehouse, byBasic, token), 400, 'invalid_grant');
    const {
      client_id: _id,
      client_secret: _secret,
      ...code
    } = await getCodeForm(gatehouse, {
      client: byBasic,
      user,
    });
    expect((await post(gatehouse, 'token', code, headers)).status).toBe(200);
  });

  it('refuses a client that authenticates twice or not at all, and consumes nothing', async () => {
    const token = await start(byBasic);
    const form = formOf(byBasic, token);
    const twice = await post(gatehouse, 'token', form, asBasic(byBasic));
    await expectOAuthError(twice, 400, 'invalid_request');
    const { client_secret: _secret, ...unproven } = form;
    const never = await post(gatehouse, 'token', unproven);
    await expectOAuthError(never, 401, 'invalid_client');
    const { client_id: _id, ...nameless } = unproven;
    await expectOAuthError(await post(gatehouse, 'token', nameless), 401, 'invalid_client');
    expect((await refresh(gatehouse, byBasic, token)).status).toBe(200);
  });

  it('refuses a repeated parameter, and consumes nothing', async () => {
    const token = await start(open);
    const form = { ...formOf(open, token), scope: 'contacts:read' };
    for (const [name, value] of Object.entries(form)) {
      const body = new URLSearchParams([...Object.entries(form), [name, value]]);
      await expectOAuthError(await send(body.toString()), 400, 'invalid_request');
    }
    // Unknown parameters may be repeated.
    const body = new URLSearchParams([...Object.entries(form), ['x', '1'], ['x', '2']]);
    expect((await send(body.toString())).status).toBe(200);
  });

  it('treats an empty parameter as absent', async () => {
    const token = await start(open);
    const answer = await refresh(gatehouse, open, token, { scope: '', resource: '' });
    expect(answer.status).toBe(200);
    expect(((await answer.json()) as TokenResponse).scope).toBe('contacts:read offline_access');
  });

  it('answers unauthorized_client to a client that did not register for it', async () => {
    const client = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    const token = await start(client);
    const { registration_access_token: access, registration_client_uri: uri } = client;
    const changed = await fetch(gatehouse.origin + new URL(uri).pathname, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${access}` },
      body: JSON.stringify({
        ...authenticationOf(client),
        client_name: 'No more refreshing',
        redirect_uris: ['https://app.example.com/callback'],
        grant_types: ['authorization_code'],
        token_endpoint_auth_method: 'client_secret_post',
      }),
    });
    expect(changed.status).toBe(200);
    await expectOAuthError(await refresh(gatehouse, client, token), 400, 'unauthorized_client');
  });

  it('returns an id_token with the sign-in of the first one', async () => {
    const keys = createRemoteJWKSet(new URL(`${gatehouse.origin}/api/v1/oauth/jwks`));
    const options = { issuer: gatehouse.config.ISSUER, audience: open.client_id };
    const read = async ({ id_token: token = '' }: TokenResponse) => {
      const { iat, exp, ...claims } = (await jwtVerify(token, keys, options)).payload;
      expect((exp ?? 0) - (iat ?? 0)).toBe(3600);
      return claims;
    };
    const parameters = {
      scope: 'openid profile email contacts:read offline_access',
      nonce: 'n-0S6_WzA2Mj',
      max_age: '600',
    };
    const first = await getTokens(gatehouse, { client: open, user, parameters });
    // No nonce: a refresh has no authorization request (OpenID Connect Core §12.2).
    const { nonce, ...claims } = await read(first);
    expect(nonce).toBe(parameters.nonce);
    expect(claims).toMatchObject({ name: 'Ada Example', auth_time: expect.any(Number) });
    const second = await refresh(gatehouse, open, first.refresh_token);
    const renewed = (await second.json()) as TokenResponse;
    expect(await read(renewed)).toEqual(claims);

    const narrow = { scope: 'openid email offline_access' };
    const third = await refresh(gatehouse, open, renewed.refresh_token, narrow);
    const narrowed = (await third.json()) as TokenResponse;
    const { name: _name, ...withoutName } = claims;
    expect(await read(narrowed)).toEqual(withoutName);

    const none = { scope: 'contacts:read' };
    const last = await refresh(gatehouse, open, narrowed.refresh_token, none);
    expect(await last.json()).not.toHaveProperty('id_token');
  });
});
