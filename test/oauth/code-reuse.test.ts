import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  createPkce,
  post,
  registerClient,
  type TestClient,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import {
  authenticationOf,
  expectOAuthError,
  getCodeForm,
  refresh,
  statusOfToken,
} from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

type Fields = Readonly<Record<string, string>>;

describe('a code that is used a second time', () => {
  const gatehouse = useOAuthWorld();
  let confidential: TestClient;
  beforeAll(async () => {
    confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_post',
    });
  });

  const token = (fields: Fields) => post(gatehouse, 'token', fields);
  async function redeemed(owner: TestClient) {
    const form = await getCodeForm(gatehouse, { client: owner, user: gatehouse.user });
    const answer = await token(form);
    expect(answer.status).toBe(200);
    return { form, tokens: (await answer.json()) as TokenResponse };
  }
  const isGood = async ({ access_token: access }: TokenResponse) =>
    (await statusOfToken(gatehouse, access)) === 200;

  it.each<[string, Fields]>([
    ['as it came first', {}],
    ['with another verifier', { code_verifier: createPkce().verifier }],
    ['without a verifier', { code_verifier: '' }],
    ['with another redirect', { redirect_uri: 'https://app.example.com/other' }],
  ])('ends everything that the first use issued: %s', async (_how, wrong) => {
    for (const owner of [gatehouse.client, confidential]) {
      const { form, tokens } = await redeemed(owner);
      const next = await refresh(gatehouse, owner, tokens.refresh_token);
      const renewed = (await next.json()) as TokenResponse;
      await expectOAuthError(await token({ ...form, ...wrong }), 400, 'invalid_grant');
      expect(await isGood(tokens)).toBe(false);
      expect(await isGood(renewed)).toBe(false);
      const dead = await refresh(gatehouse, owner, renewed.refresh_token);
      await expectOAuthError(dead, 400, 'invalid_grant');
    }
  });

  it('ends the grant after the code has expired, too', async () => {
    const { form, tokens } = await redeemed(gatehouse.client);
    await gatehouse.database.shiftClock('30 minutes');
    await expectOAuthError(await token(form), 400, 'invalid_grant');
    expect(await isGood(tokens)).toBe(false);
    await gatehouse.database.shiftClock('0 minutes');
  });

  it('ends nothing if another client presents it, or client authentication fails', async () => {
    const { form, tokens } = await redeemed(confidential);
    const { client_secret: _secret, ...unproven } = form;
    const stranger = await token({ ...unproven, ...authenticationOf(gatehouse.client) });
    await expectOAuthError(stranger, 400, 'invalid_grant');
    await expectOAuthError(await token(unproven), 401, 'invalid_client');
    const wrong = await token({ ...form, client_secret: 'wrong' });
    await expectOAuthError(wrong, 401, 'invalid_client');
    expect(await isGood(tokens)).toBe(true);
    expect((await refresh(gatehouse, confidential, tokens.refresh_token)).status).toBe(200);
  });

  it('is audited once', async () => {
    const { form } = await redeemed(gatehouse.client);
    for (let use = 0; use < 3; use++) await token(form);
    const rows = await gatehouse.database.query(
      `SELECT FROM audit_log WHERE action = 'grant.revoke' AND subject =
         (SELECT grant_id FROM oauth_artifacts WHERE digest = ANY ($1))`,
      [gatehouse.keyring.digests(form['code'] ?? '')],
    );
    expect(rows).toHaveLength(1);
  });
});
