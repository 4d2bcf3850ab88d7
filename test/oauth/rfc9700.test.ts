// Best current practice for OAuth 2.0 security: what RFC 9700 demands of an authorization server, by its sections.
import { beforeAll, describe, expect, it } from '@jest/globals';

import { createProver } from '../support/oauth/dpop.js';
import {
  authorize,
  createPkce,
  getTokens,
  PASSWORD,
  post,
  REDIRECT,
  registerClient,
  type Browser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import {
  expectOAuthError,
  getCodeForm,
  refresh,
  statusOfToken,
} from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

const gatehouse = useOAuthWorld();
let issuer: string;
let browser: Browser;
beforeAll(async () => {
  issuer = gatehouse.config.ISSUER;
  browser = gatehouse.newBrowser();
  // Errors are redirected to browsers that are signed in only.
  await authorize(gatehouse, { client: gatehouse.client, user: gatehouse.user, browser });
});

const form = () =>
  getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user, browser });
const redeem = (fields: Readonly<Record<string, string>>) => post(gatehouse, 'token', fields);

describe('redirects', () => {
  it('go to registered URIs only, compared as text (§2.1, §4.1.3)', async () => {
    for (const other of [
      `${REDIRECT}/`,
      `${REDIRECT}?x=1`,
      `${REDIRECT}/../callback`,
      REDIRECT.toUpperCase(),
      REDIRECT.replace('https', 'http'),
      'https://app.example.com.evil.example/callback',
      'https://app.example.com@evil.example/callback',
    ]) {
      const stop = await browser.open(gatehouse.urlFor({ redirect_uri: other }));
      expect([other, stop.status, new URL(stop.url).origin]).toEqual([other, 400, issuer]);
    }
  });

  it('happen for an unknown app only after a sign-in, errors included (§4.11.2)', async () => {
    for (const parameters of [{}, { scope: 'unknown:scope' }, { response_type: 'token' }]) {
      const stop = await gatehouse.newBrowser().open(gatehouse.urlFor(parameters));
      expect(new URL(stop.url).origin).toBe(issuer);
    }
  });

  it('after a form with a password have status 303, and no Referer leaves (§4.12, §4.2.4)', async () => {
    const own = gatehouse.newBrowser();
    const login = await own.open(gatehouse.urlFor());
    const csrf = /name="csrf" value="([^"]+)"/.exec(login.html)?.[1] ?? '';
    const body = new URLSearchParams({ csrf, email: gatehouse.user.email, password: PASSWORD });
    const answer = await own.request(login.url, { method: 'POST', body });
    expect(answer.status).toBe(303);
    expect(login.headers.get('Referrer-Policy')).toMatch(/^(same-origin|no-referrer)$/);
  });
});

describe('codes', () => {
  it('need PKCE with S256, from confidential clients too (§2.1.1)', async () => {
    const confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
    for (const { client_id } of [gatehouse.client, confidential]) {
      for (const parameters of [
        { code_challenge: '', code_challenge_method: '' },
        { code_challenge_method: 'plain' },
      ]) {
        const stop = await browser.open(gatehouse.urlFor({ client_id, ...parameters }));
        expect(new URL(stop.url).searchParams.get('error')).toBe('invalid_request');
      }
    }
    const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
    expect(body.code_challenge_methods_supported).toEqual(['S256']);
  });

  it('are not redeemed with a wrong verifier, or without one (§2.1.1, §4.8.2)', async () => {
    const good = await form();
    const { code_verifier: _verifier, ...without } = good;
    await expectOAuthError(await redeem(without), 400, 'invalid_grant');
    const wrong = { ...good, code_verifier: createPkce().verifier };
    await expectOAuthError(await redeem(wrong), 400, 'invalid_grant');
  });

  it('work once, and a second use ends what the first one gave (§4.2.4, §4.5)', async () => {
    const good = await form();
    const first = (await (await redeem(good)).json()) as TokenResponse;
    expect(await statusOfToken(gatehouse, first.access_token)).toBe(200);
    await expectOAuthError(await redeem(good), 400, 'invalid_grant');
    expect(await statusOfToken(gatehouse, first.access_token)).toBe(401);
  });

  it('belong to their client and redirect URI (§4.5)', async () => {
    const other = await registerClient(gatehouse);
    const stolen = { ...(await form()), client_id: other.client_id };
    await expectOAuthError(await redeem(stolen), 400, 'invalid_grant');
    const moved = { ...(await form()), redirect_uri: 'https://app.example.com/other' };
    await expectOAuthError(await redeem(moved), 400, 'invalid_grant');
  });
});

it('neither the implicit nor the password grant exists (§2.1.2, §2.4)', async () => {
  for (const response_type of ['token', 'id_token token', 'code token', 'id_token']) {
    const stop = await browser.open(gatehouse.urlFor({ response_type }));
    const { searchParams, hash } = new URL(stop.url);
    expect([searchParams.get('error'), hash]).toEqual(['unsupported_response_type', '']);
  }
  const fields = {
    username: gatehouse.user.email,
    password: PASSWORD,
    client_id: gatehouse.client.client_id,
  };
  const answer = await redeem({ grant_type: 'password', ...fields });
  await expectOAuthError(answer, 400, 'unsupported_grant_type');
  const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
  expect(body.response_types_supported).toEqual(['code']);
  expect(body.response_modes_supported).toEqual(['query']);
});

describe('tokens', () => {
  it('are rotated for public clients, and a replay ends the grant (§2.2.2, §4.14.2)', async () => {
    const first = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      browser,
    });
    const second = (await (
      await refresh(gatehouse, gatehouse.client, first.refresh_token)
    ).json()) as TokenResponse;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    await refresh(gatehouse, gatehouse.client, second.refresh_token);
    const replay = await refresh(gatehouse, gatehouse.client, first.refresh_token);
    await expectOAuthError(replay, 400, 'invalid_grant');
    for (const { access_token: token } of [first, second]) {
      expect(await statusOfToken(gatehouse, token)).toBe(401);
    }
  });

  it('keep the scopes and resources that the user allowed at a refresh (§4.14.2)', async () => {
    const parameters = { scope: 'contacts:read offline_access' };
    const first = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      parameters,
    });
    for (const [more, error] of [
      [{ scope: 'contacts:read contacts:write' }, 'invalid_scope'],
      [{ resource: 'https://elsewhere.example' }, 'invalid_target'],
    ] as const) {
      const answer = await refresh(gatehouse, gatehouse.client, first.refresh_token, more);
      await expectOAuthError(answer, 400, error);
    }
    expect((await refresh(gatehouse, gatehouse.client, first.refresh_token)).status).toBe(200);
  });

  it('have one audience, and can be bound to a key of the client (§2.2.1, §2.3)', async () => {
    const prover = await createProver();
    const proof = await prover.prove({
      method: 'POST',
      url: `${issuer}/api/v1/oauth/token`,
    });
    const answer = await post(gatehouse, 'token', await form(), { DPoP: proof });
    const issued = (await answer.json()) as TokenResponse;
    expect(issued.token_type).toBe('DPoP');
    expect(await statusOfToken(gatehouse, issued.access_token)).toBe(401);
    const bearer = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      browser,
    });
    await gatehouse.database.query(
      `UPDATE access_tokens SET audience = 'https://elsewhere.example'`,
    );
    expect(await statusOfToken(gatehouse, bearer.access_token)).toBe(401);
  });

  it('are never taken from the query, and stay out of caches (§4.3.2)', async () => {
    const { access_token: token } = await getTokens(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      browser,
    });
    const { status } = await gatehouse.http.get(`/api/v1/me?access_token=${token}`);
    expect(status).toBe(401);
    const issued = await redeem(await form());
    expect(issued.headers.get('Cache-Control')).toContain('no-store');
  });
});

it('no client can choose its id, or be taken for a user (§4.15)', async () => {
  const chosen = await registerClient(gatehouse, {
    client_id: gatehouse.user.id,
    sub: gatehouse.user.id,
  });
  expect(chosen.client_id).toMatch(/^cli_/);
  expect(gatehouse.user.id).toMatch(/^usr_/);
});

it('pages cannot be framed, and the authorization endpoint is not readable across origins (§2.6, §4.16)', async () => {
  const login = await gatehouse.newBrowser().open(gatehouse.urlFor());
  expect(login.headers.get('Content-Security-Policy')).toContain("frame-ancestors 'none'");
  expect(login.headers.get('X-Frame-Options')).toBe('DENY');
  for (const method of ['GET', 'OPTIONS']) {
    const headers = { Origin: 'https://spa.example', 'Access-Control-Request-Method': 'GET' };
    const path = new URL(gatehouse.urlFor());
    const answer = await fetch(gatehouse.origin + path.pathname + path.search, {
      method,
      headers,
      redirect: 'manual',
    });
    const names = [...answer.headers.keys()];
    expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});

it('headers that a client forges change no address (§4.13)', async () => {
  const headers = { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'gopher' };
  const { body } = await gatehouse.http
    .get('/.well-known/oauth-authorization-server')
    .set({ ...headers, Host: 'evil.example' });
  expect(JSON.stringify(body)).not.toMatch(/evil\.example|gopher/);
  const callback = await authorize(gatehouse, {
    client: gatehouse.client,
    user: gatehouse.user,
    browser,
  });
  expect(callback.searchParams.get('iss')).toBe(issuer);
});
