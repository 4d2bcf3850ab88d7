import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

import type { TestApp } from '../support/app.js';
import { createTestAppBehindProxy } from '../support/clients.js';
import {
  createUser,
  getTokens,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth.js';
import { refresh } from '../support/oauth-requests.js';

describe('an id_token', () => {
  let gatehouse: TestApp;
  let user: TestUser;
  let client: TestClient;
  beforeAll(async () => {
    gatehouse = await createTestAppBehindProxy();
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    client = await registerClient(gatehouse);
  });
  afterAll(() => gatehouse.close());

  const issue = (parameters: Record<string, string>) =>
    getTokens(gatehouse, { client, user, parameters });
  async function verify(idToken: string | undefined) {
    const keys = createRemoteJWKSet(new URL(`${gatehouse.origin}/api/v1/oauth/jwks`));
    const options = { issuer: gatehouse.config.ISSUER, audience: client.client_id };
    const { payload } = await jwtVerify(idToken ?? '', keys, options);
    return payload;
  }

  it('is signed by a published key, and says who signed in', async () => {
    const { id_token: idToken } = await issue({ scope: 'openid', nonce: 'n-0S6_WzA2Mj' });
    expect(decodeProtectedHeader(idToken ?? '')).toMatchObject({
      alg: 'ES256',
      kid: expect.any(String),
    });
    const claims = await verify(idToken);
    expect(claims).toMatchObject({
      iss: gatehouse.config.ISSUER,
      aud: client.client_id,
      sub: user.id,
      nonce: 'n-0S6_WzA2Mj',
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(3600);
    expect(claims).not.toHaveProperty('email');
    expect(claims).not.toHaveProperty('name');
  });

  it('says when the user signed in, if that was asked for', async () => {
    const claims = await verify((await issue({ scope: 'openid', max_age: '600' })).id_token);

    expect(Math.abs(Number(claims['auth_time']) - Date.now() / 1000)).toBeLessThan(60);
  });

  it('holds what profile and email stand for', async () => {
    const { id_token: idToken } = await issue({ scope: 'openid profile email' });

    expect(await verify(idToken)).toMatchObject({ email: user.email, name: 'Ada Example' });
  });

  it('comes with openid only', async () => {
    const tokens = await issue({ scope: 'contacts:read profile' });

    expect(tokens.id_token).toBeUndefined();
  });

  it('comes again with a refresh', async () => {
    const { refresh_token: token } = await issue({ scope: 'openid offline_access' });
    const answer = await refresh(gatehouse, client, token);
    const { id_token: idToken } = (await answer.json()) as { id_token: string };

    expect(await verify(idToken)).toMatchObject({ sub: user.id });
  });
});
