import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  authorizeUrl,
  createBrowser,
  createPkce,
  PASSWORD,
  post,
  REDIRECT,
  type Browser,
} from '../support/oauth/oauth.js';
import { expectOAuthError, refresh, statusOfToken } from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

describe('resource (RFC 8707)', () => {
  const gatehouse = useOAuthWorld({
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
  });
  let issuer: string;
  let api: string;
  let browser: Browser;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    api = `${issuer}/api/v1`;
    browser = createBrowser({ origin: gatehouse.origin, issuer });
  });

  async function ask(resources: readonly string[]) {
    const { verifier, challenge } = createPkce();
    const parameters = { client_id: gatehouse.client.client_id, code_challenge: challenge };
    const query = resources.map((one) => `&resource=${encodeURIComponent(one)}`).join('');
    let stop = await browser.open(authorizeUrl(issuer, parameters) + query);
    if (stop.html.includes('name="password"')) {
      stop = await browser.submit(stop, { email: gatehouse.user.email, password: PASSWORD });
    }
    if (stop.html !== '') stop = await browser.submit(stop, { decision: 'approve' });
    const { searchParams } = new URL(stop.url);
    const form = {
      grant_type: 'authorization_code',
      code: searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      client_id: gatehouse.client.client_id,
      client_secret: gatehouse.client.client_secret ?? '',
    };
    return { form, error: searchParams.get('error') };
  }
  async function redeem(resources: readonly string[], more = {}): Promise<Tokens> {
    const { form } = await ask(resources);
    return (await (await post(gatehouse, 'token', { ...form, ...more })).json()) as Tokens;
  }
  async function audienceOf({ access_token: token }: Tokens): Promise<unknown> {
    const { client_id, client_secret = '' } = gatehouse.client;
    const answer = await post(gatehouse, 'introspect', { token, client_id, client_secret });
    return ((await answer.json()) as { aud?: unknown }).aud;
  }

  it('is the API by default, or the requested resource (§2)', async () => {
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

  it('can be chosen with each refresh, among the granted ones (§2.2)', async () => {
    const first = await redeem([api, issuer], { resource: api });
    const answer = await refresh(gatehouse, gatehouse.client, first.refresh_token, {
      resource: issuer,
    });
    const second = (await answer.json()) as Tokens;
    expect(await audienceOf(second)).toBe(issuer);

    const only = await redeem([api]);
    const refused = await refresh(gatehouse, gatehouse.client, only.refresh_token, {
      resource: issuer,
    });
    await expectOAuthError(refused, 400, 'invalid_target');
    const again = await refresh(gatehouse, gatehouse.client, only.refresh_token);
    expect(await audienceOf((await again.json()) as Tokens)).toBe(api);
  });

  it('is compared in canonical form, at authorization, for a code and for a refresh', async () => {
    const capitals = issuer.replace('http', 'HTTP').replace('localhost', 'LocalHost');
    const spellings = [
      `${issuer}/`,
      `${issuer}?mode=x`,
      `${issuer}/?a=b`,
      capitals,
      `${capitals}/`,
    ];
    for (const resource of spellings) {
      const tokens = await redeem([resource]);
      expect({ resource, aud: await audienceOf(tokens) }).toEqual({ resource, aud: issuer });
      expect(await statusOfToken(gatehouse, tokens.access_token)).toBe(200);
    }
    for (const resource of [`${api}/`, `${api}?mode=x`, `${api}/?`, `${capitals}/api/v1`]) {
      const tokens = await redeem([issuer, api], { resource });
      expect({ resource, aud: await audienceOf(tokens) }).toEqual({ resource, aud: api });
      const answer = await refresh(gatehouse, gatehouse.client, tokens.refresh_token, { resource });
      expect(await audienceOf((await answer.json()) as Tokens)).toBe(api);
    }
  });

  it('is refused if one of several is unknown or not granted (RFC 8707 §2)', async () => {
    const postForm = (fields: Record<string, string>, resources: readonly string[]) => {
      const body = new URLSearchParams(fields);
      for (const resource of resources) body.append('resource', resource);
      return fetch(`${gatehouse.origin}/api/v1/oauth/token`, { method: 'POST', body });
    };
    expect((await ask([issuer, `${api}/`])).error).toBeNull();
    expect((await ask([issuer, 'https://elsewhere.example'])).error).toBe('invalid_target');

    const { form } = await ask([api, '']);
    for (const resources of [
      [api, 'https://elsewhere.example'],
      [api, issuer],
    ]) {
      await expectOAuthError(await postForm(form, resources), 400, 'invalid_target');
    }
    const first = (await (await postForm(form, [api, `${api}/`, ''])).json()) as Tokens;
    const again = {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
      client_id: gatehouse.client.client_id,
      client_secret: gatehouse.client.client_secret ?? '',
    };
    for (const resources of [
      [api, 'https://elsewhere.example'],
      [api, issuer],
    ]) {
      await expectOAuthError(await postForm(again, resources), 400, 'invalid_target');
    }
    expect((await postForm(again, [`${api}/`, api])).status).toBe(200);
  });

  it('answers invalid_grant if the resource of the grant is no longer registered', async () => {
    const tokens = await redeem([api]);
    await gatehouse.database.query(
      `UPDATE refresh_tokens SET payload = jsonb_set(payload, '{resource}', '"https://gone.example"')`,
    );
    const answer = await refresh(gatehouse, gatehouse.client, tokens.refresh_token);
    await expectOAuthError(answer, 400, 'invalid_grant');
  });

  it('refuses a token for another service at the API (§3)', async () => {
    const { access_token: token } = await redeem([api]);
    for (const [audience, status] of [
      ['https://elsewhere.example', 401],
      [`${api}/contacts`, 401],
      [`${issuer}:1`, 401],
      [`${api}/`, 200],
    ] as const) {
      await gatehouse.database.query('UPDATE access_tokens SET audience = $1', [audience]);
      expect({ audience, status: await statusOfToken(gatehouse, token) }).toEqual({
        audience,
        status,
      });
    }
  });

  it('answers invalid_target for a resource that is unknown or was not granted (§2)', async () => {
    for (const resource of [
      'https://elsewhere.example',
      `${api}/contacts`,
      `${api}//`,
      `${issuer}/x/../api/v1`,
      `${issuer}/%61pi/v1`,
      `${issuer}/API/v1`,
      issuer.replace('3000', '3001'),
      issuer.replace('http:', 'https:'),
      issuer.replace('localhost', 'user@localhost'),
      issuer.replace('//', '/'),
      `${issuer}#`,
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
