import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { TestApp } from '../support/app.js';
import { createTestAppBehindProxy } from '../support/clients.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  PASSWORD,
  post,
  REDIRECT,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth.js';
import { expectOAuthError, refresh, statusOfToken } from '../support/oauth-requests.js';

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

describe('resource (RFC 8707)', () => {
  let gatehouse: TestApp;
  let issuer: string;
  let api: string;
  let user: TestUser;
  let client: TestClient;
  let browser: Browser;
  beforeAll(async () => {
    gatehouse = await createTestAppBehindProxy();
    issuer = gatehouse.config.ISSUER;
    api = `${issuer}/api/v1`;
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    client = await registerClient(gatehouse, { token_endpoint_auth_method: 'client_secret_post' });
    browser = createBrowser({ origin: gatehouse.origin, issuer });
  });
  afterAll(() => gatehouse.close());

  async function ask(resources: readonly string[]) {
    const { verifier, challenge } = createPkce();
    const parameters = { client_id: client.client_id, code_challenge: challenge };
    const query = resources.map((one) => `&resource=${encodeURIComponent(one)}`).join('');
    let stop = await browser.open(authorizeUrl(issuer, parameters) + query);
    if (stop.html.includes('name="password"')) {
      stop = await browser.submit(stop, { email: user.email, password: PASSWORD });
    }
    if (stop.html !== '') stop = await browser.submit(stop, { decision: 'approve' });
    const { searchParams } = new URL(stop.url);
    const form = {
      grant_type: 'authorization_code',
      code: searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      client_id: client.client_id,
      client_secret: client.client_secret ?? '',
    };
    return { form, error: searchParams.get('error') };
  }
  async function redeem(resources: readonly string[], more = {}): Promise<Tokens> {
    const { form } = await ask(resources);
    return (await (await post(gatehouse, 'token', { ...form, ...more })).json()) as Tokens;
  }
  async function audienceOf({ access_token: token }: Tokens): Promise<unknown> {
    const { client_id, client_secret = '' } = client;
    const answer = await post(gatehouse, 'introspect', { token, client_id, client_secret });
    return ((await answer.json()) as { aud?: unknown }).aud;
  }

  it('is the API by default, or what was asked for', async () => {
    expect(await audienceOf(await redeem([]))).toBe(api);
    expect(await audienceOf(await redeem([api]))).toBe(api);
    expect(await audienceOf(await redeem([issuer]))).toBe(issuer);
    for (const resource of [api, issuer]) {
      expect(await audienceOf(await redeem([api, issuer], { resource }))).toBe(resource);
    }
  });

  it('is accepted by the API either way', async () => {
    for (const resource of [api, issuer]) {
      const { access_token: token } = await redeem([resource]);
      expect(await statusOfToken(gatehouse, token)).toBe(200);
    }
  });

  it('can be chosen again with each refresh, among those that were asked for', async () => {
    const first = await redeem([api, issuer], { resource: api });
    const answer = await refresh(gatehouse, client, first.refresh_token, { resource: issuer });
    const second = (await answer.json()) as Tokens;
    expect(await audienceOf(second)).toBe(issuer);

    const only = await redeem([api]);
    const refused = await refresh(gatehouse, client, only.refresh_token, { resource: issuer });
    await expectOAuthError(refused, 400, 'invalid_target');
    const again = await refresh(gatehouse, client, only.refresh_token);
    expect(await audienceOf((await again.json()) as Tokens)).toBe(api);
  });

  it('is invalid_target where it is none of ours, or was not asked for', async () => {
    for (const resource of [
      'https://elsewhere.example',
      `${api}/`,
      `${issuer}/`,
      `${api}/contacts`,
      `${api}#x`,
      'x',
      '\0',
    ]) {
      expect({ resource, error: (await ask([api, resource])).error }).toEqual({
        resource,
        error: 'invalid_target',
      });
      const { form } = await ask([]);
      const answer = await post(gatehouse, 'token', { ...form, resource });
      await expectOAuthError(answer, 400, 'invalid_target');
      expect((await post(gatehouse, 'token', form)).status).toBe(200);
    }
    const { form } = await ask([api]);
    const answer = await post(gatehouse, 'token', { ...form, resource: issuer });
    await expectOAuthError(answer, 400, 'invalid_target');
  });
});
