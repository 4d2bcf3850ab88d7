import { beforeAll, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

import {
  createUser,
  getTokens,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { refresh } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('an id_token', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let user: TestUser;
  let client: TestClient;
  let compact: TestClient;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    client = await registerClient(gatehouse);
    compact = await registerClient(gatehouse, { id_token_signed_response_alg: 'ES256' });
  });

  const issue = (parameters: Record<string, string>, by = client) =>
    getTokens(gatehouse, { client: by, user, parameters });
  async function verify(idToken: string | undefined, audience = client.client_id) {
    const keys = createRemoteJWKSet(new URL(`${gatehouse.origin}/api/v1/oauth/jwks`));
    const options = { issuer: gatehouse.config.ISSUER, audience };
    const { payload } = await jwtVerify(idToken ?? '', keys, options);
    return payload;
  }

  it('is signed by a published key, and names the account', async () => {
    const { id_token: idToken } = await issue({ scope: 'openid', nonce: 'n-0S6_WzA2Mj' });
    expect(decodeProtectedHeader(idToken ?? '')).toMatchObject({
      alg: 'RS256',
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

  it('has auth_time if it was requested', async () => {
    const claims = await verify((await issue({ scope: 'openid', max_age: '600' })).id_token);

    expect(Math.abs(Number(claims['auth_time']) - Date.now() / 1000)).toBeLessThan(60);
  });

  it('has the claims of profile and email', async () => {
    const { id_token: idToken } = await issue({ scope: 'openid profile email' });

    expect(await verify(idToken)).toMatchObject({
      email: user.email,
      email_verified: false,
      name: 'Ada Example',
    });
  });

  it('has email_verified as of now, at the next refresh too', async () => {
    const scope = 'openid email offline_access';
    const { id_token: first, refresh_token: token } = await issue({ scope });
    expect(await verify(first)).toMatchObject({ email: user.email, email_verified: false });

    await gatehouse.database.query(
      'UPDATE accounts SET email_verified_at = gatehouse_now() WHERE id = $1',
      [user.id],
    );
    expect(await verify((await issue({ scope })).id_token)).toMatchObject({ email_verified: true });
    const again = (await (await refresh(gatehouse, client, token)).json()) as { id_token: string };
    expect(await verify(again.id_token)).toMatchObject({ email: user.email, email_verified: true });
    await gatehouse.database.query('UPDATE accounts SET email_verified_at = NULL');
  });

  describe('is signed with the algorithm that the client registered', () => {
    const algorithmsOf = async (of: TestClient) => {
      const scope = 'openid offline_access';
      const tokens = await issue({ scope }, of);
      const answer = await refresh(gatehouse, of, tokens.refresh_token);
      const { id_token: again } = (await answer.json()) as { id_token: string };
      for (const idToken of [tokens.id_token, again]) await verify(idToken, of.client_id);
      return [tokens.id_token, again].map((idToken) => decodeProtectedHeader(idToken ?? '').alg);
    };

    it('with RS256 by default and ES256 if registered, also after a refresh', async () => {
      expect(await algorithmsOf(client)).toEqual(['RS256', 'RS256']);
      expect(await algorithmsOf(compact)).toEqual(['ES256', 'ES256']);
      const secret = { token_endpoint_auth_method: 'client_secret_post' };
      const both = { ...secret, id_token_signed_response_alg: 'ES256' };
      expect(await algorithmsOf(await registerClient(gatehouse, secret))).toEqual([
        'RS256',
        'RS256',
      ]);
      expect(await algorithmsOf(await registerClient(gatehouse, both))).toEqual(['ES256', 'ES256']);
    });

    it('with ES256 for a client of an earlier release', async () => {
      const former = await registerClient(gatehouse, {
        token_endpoint_auth_method: 'client_secret_post',
      });
      await gatehouse.database.query(
        `UPDATE clients SET metadata = metadata - 'id_token_signed_response_alg' WHERE id = $1`,
        [former.client_id],
      );
      expect(await algorithmsOf(former)).toEqual(['ES256', 'ES256']);

      const path = `/api/v1/oauth/register/${former.client_id}`;
      const bearer = { Authorization: `Bearer ${former.registration_access_token}` };
      const shown = await gatehouse.http.get(path).set(bearer);
      expect(shown.body).toMatchObject({ id_token_signed_response_alg: 'ES256' });
      // A change of other metadata keeps it.
      const { redirect_uris: uris } = shown.body as { redirect_uris: string[] };
      const changed = await gatehouse.http.put(path).set(bearer).send({ redirect_uris: uris });
      expect(changed.body).toMatchObject({ id_token_signed_response_alg: 'ES256' });
      expect(await algorithmsOf(former)).toEqual(['ES256', 'ES256']);
    });
  });

  it('is issued with the scope openid only', async () => {
    const tokens = await issue({ scope: 'contacts:read profile' });

    expect(tokens.id_token).toBeUndefined();
  });

  it('is issued again with a refresh', async () => {
    const { refresh_token: token } = await issue({ scope: 'openid offline_access' });
    const answer = await refresh(gatehouse, client, token);
    const { id_token: idToken } = (await answer.json()) as { id_token: string };

    expect(await verify(idToken)).toMatchObject({ sub: user.id });
  });

  it('has auth_time and no nonce after a refresh (OpenID Connect Core §12.2)', async () => {
    const scope = 'openid offline_access';
    const first = await issue({ scope, max_age: '600', nonce: 'n-0S6_WzA2Mj' });
    const answer = await refresh(gatehouse, client, first.refresh_token);
    const { id_token: idToken } = (await answer.json()) as { id_token: string };
    const { auth_time: time } = await verify(first.id_token);

    expect(time).toEqual(expect.any(Number));
    expect(await verify(idToken)).toMatchObject({ auth_time: time });
    expect(await verify(idToken)).not.toHaveProperty('nonce');
  });
});
