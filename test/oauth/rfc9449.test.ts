import { beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';

import { finishRequest, openRequest } from '../support/app/late-body.js';
import { createProver, type ProofOf, type Prover } from '../support/oauth/dpop.js';
import {
  createUser,
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
} from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const scope = 'contacts:read contacts:write offline_access';

describe('proof of possession (RFC 9449)', () => {
  const gatehouse = useGatehouse();
  let client: TestClient;
  let user: TestUser;
  let prover: Prover;
  let tokenUrl: string;
  let me: string;
  beforeAll(async () => {
    client = await registerClient(gatehouse);
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    prover = await createProver();
    tokenUrl = `${gatehouse.config.ISSUER}/api/v1/oauth/token`;
    me = `${gatehouse.config.ISSUER}/api/v1/me`;
  });

  const codeForm = (of = client, parameters = {}) =>
    getCodeForm(gatehouse, { client: of, user, parameters: { scope, ...parameters } });

  async function exchange(
    form: Readonly<Record<string, string>>,
    by: Prover | undefined,
    more: Partial<ProofOf> = {},
  ): Promise<Response> {
    const proof = await by?.prove({ method: 'POST', url: tokenUrl, ...more });
    return post(gatehouse, 'token', form, proof === undefined ? {} : { DPoP: proof });
  }

  async function tokens(by: Prover | undefined, of = client): Promise<TokenResponse> {
    const response = await exchange(await codeForm(of), by);
    expect(response.status).toBe(200);
    return (await response.json()) as TokenResponse;
  }

  const refresh = (token: string | undefined, by: Prover | undefined, of = client) =>
    exchange(
      { grant_type: 'refresh_token', refresh_token: token ?? '', ...authenticationOf(of) },
      by,
    );

  const call = (authorization: string, proofs: readonly string[] = [], path = '/api/v1/me') => {
    const request = gatehouse.http.get(path).set('Authorization', authorization);
    return proofs.length === 0 ? request : request.set('DPoP', proofs as unknown as string);
  };

  async function callWith(token: string, more: Partial<ProofOf> = {}, by = prover) {
    return call(`DPoP ${token}`, [await by.prove({ url: me, credential: token, ...more })]);
  }

  describe('a token request', () => {
    it('with a proof gets a token that is bound to the key (§5)', async () => {
      const response = await exchange(await codeForm(), prover);
      const issued = (await response.json()) as TokenResponse;
      expect(issued.token_type).toBe('DPoP');
      expect(response.headers.get('DPoP-Nonce')).toMatch(/./);
      expect(await callWith(issued.access_token)).toMatchObject({ status: 200 });
    });

    it('without a proof gets a bearer token', async () => {
      const { token_type, access_token } = await tokens(undefined);
      expect(token_type).toBe('Bearer');
      expect(await call(`Bearer ${access_token}`)).toMatchObject({ status: 200 });
    });

    it.each<[string, string, Partial<ProofOf>]>([
      ['another method', 'invalid_dpop_proof', { method: 'GET' }],
      ['another URL', 'invalid_dpop_proof', { url: 'https://elsewhere.example/token' }],
      ['no id', 'invalid_dpop_proof', { claims: { jti: undefined } }],
      ['a long id', 'invalid_dpop_proof', { claims: { jti: 'x'.repeat(513) } }],
      ['another type', 'invalid_dpop_proof', { header: { typ: 'jwt' } }],
      ['no key', 'invalid_dpop_proof', { header: { jwk: undefined } }],
      ['no time', 'invalid_dpop_proof', { claims: { iat: undefined } }],
      ['an old time', 'use_dpop_nonce', { claims: { iat: Math.floor(Date.now() / 1000) - 90 } }],
      ['a later time', 'use_dpop_nonce', { claims: { iat: Math.floor(Date.now() / 1000) + 90 } }],
      ['an invented nonce', 'use_dpop_nonce', { nonce: `29000000.${'a'.repeat(64)}` }],
    ])('with a proof that has %s is refused (§4.3)', async (_what, error, more) => {
      const answer = await exchange({ grant_type: 'refresh_token' }, prover, more);
      expect(answer.headers.get('DPoP-Nonce')).toMatch(/./);
      await expectOAuthError(answer, 400, error);
    });

    it('is refused with a private key, a symmetric key, another key or two proofs (§4.3)', async () => {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true });
      const other = await createProver();
      for (const jwk of [
        await exportJWK(privateKey),
        { kty: 'oct', k: 'c2VjcmV0' },
        other.jwk,
        { ...(await createProver('RS256')).jwk, n: 'A'.repeat(1400) },
      ]) {
        const answer = await exchange({ grant_type: 'refresh_token' }, prover, { header: { jwk } });
        await expectOAuthError(answer, 400, 'invalid_dpop_proof');
      }
      const rsa = await createProver('RS256');
      const jwk = { ...rsa.jwk, e: 'A'.repeat(400) };
      const slow = await exchange({ grant_type: 'refresh_token' }, rsa, { header: { jwk } });
      expect(await slow.json()).toMatchObject({
        error_description: expect.stringContaining('exponent'),
      });
      const token = (await tokens(prover)).access_token;
      const two = [1, 2].map(() => prover.prove({ url: me, credential: token }));
      const answer = await call(`DPoP ${token}`, await Promise.all(two));
      expect(answer.status).toBe(401);
    });

    it('is refused with the header of a known key and the signature of another (§4.3)', async () => {
      const thief = await createProver();
      expect((await exchange(await codeForm(), prover)).status).toBe(200);
      const forged = await exchange(await codeForm(), thief, { header: { jwk: prover.jwk } });
      await expectOAuthError(forged, 400, 'invalid_dpop_proof');
    });

    it('accepts a proof with a nonce whatever its time, by each algorithm (§8)', async () => {
      const { headers } = await exchange({ grant_type: 'refresh_token' }, prover, {
        nonce: 'none',
      });
      const nonce = headers.get('DPoP-Nonce') ?? '';
      for (const algorithm of ['ES256', 'EdDSA', 'PS256', 'RS256']) {
        const by = await createProver(algorithm);
        const response = await exchange(await codeForm(), by, { nonce, claims: { iat: 1 } });
        expect([algorithm, response.status]).toEqual([algorithm, 200]);
      }
    });

    it('refuses a proof that was used before, and consumes nothing (§11.1)', async () => {
      const proof = await prover.prove({ method: 'POST', url: tokenUrl });
      const first = await post(gatehouse, 'token', await codeForm(), { DPoP: proof });
      expect(first.status).toBe(200);
      const form = await codeForm();
      const replay = await post(gatehouse, 'token', form, { DPoP: proof });
      await expectOAuthError(replay, 400, 'invalid_dpop_proof');
      expect((await exchange(form, prover)).status).toBe(200);
    });

    it('stores nothing for a proof without a valid code', async () => {
      const count = async () =>
        (await gatehouse.database.query('SELECT count(*)::int AS n FROM used_proofs'))[0]?.['n'];
      const before = await count();
      await exchange({ ...(await codeForm()), code: 'bwp_ac_none' }, prover);
      await refresh('bwp_rt_none', prover);
      expect(await count()).toBe(before);
    });

    it('needs the key that the authorization request named in dpop_jkt (§10)', async () => {
      const parameters = { dpop_jkt: prover.thumbprint };
      const form = await codeForm(client, parameters);
      await expectOAuthError(await exchange(form, undefined), 400, 'invalid_grant');
      await expectOAuthError(await exchange(form, await createProver()), 400, 'invalid_grant');
      expect((await exchange(form, prover)).status).toBe(200);
    });
  });

  it('is announced by the metadata, with its algorithms (§5.1)', async () => {
    const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
    expect(body.dpop_signing_alg_values_supported).toEqual([
      'ES256',
      'EdDSA',
      'Ed25519',
      'PS256',
      'RS256',
    ]);
  });

  describe('a refresh token', () => {
    it('needs the key of a public client, and gives a token bound to it (§5)', async () => {
      const first = await tokens(prover);
      const thief = await createProver();
      for (const by of [undefined, thief]) {
        await expectOAuthError(await refresh(first.refresh_token, by), 400, 'invalid_grant');
      }
      const second = await refresh(first.refresh_token, prover);
      expect(second.status).toBe(200);
      const { access_token, refresh_token, token_type } = (await second.json()) as TokenResponse;
      expect(token_type).toBe('DPoP');
      expect(await callWith(access_token)).toMatchObject({ status: 200 });
      await expectOAuthError(await refresh(refresh_token, undefined), 400, 'invalid_grant');
    });

    it('may be used with another key by a confidential client', async () => {
      const confidential = await registerClient(gatehouse, {
        token_endpoint_auth_method: 'client_secret_post',
      });
      const first = await tokens(prover, confidential);
      const other = await createProver();
      const second = await refresh(first.refresh_token, other, confidential);
      const { access_token } = (await second.json()) as TokenResponse;
      expect(await callWith(access_token)).toMatchObject({ status: 401 });
      expect(await callWith(access_token, {}, other)).toMatchObject({ status: 200 });
    });
  });

  describe('a bound token', () => {
    let token: string;
    beforeAll(async () => {
      token = (await tokens(prover)).access_token;
    });

    it('is refused as a bearer token, and the challenge offers DPoP (§7.1)', async () => {
      const answer = await call(`Bearer ${token}`);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(
        /^Bearer .*error="invalid_token".*, DPoP algs="ES256 EdDSA Ed25519 PS256 RS256"$/,
      );
    });

    it('is refused without a proof, and an unbound token with one', async () => {
      const answer = await call(`DPoP ${token}`);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_token".*algs="/);
      const bearer = (await tokens(undefined)).access_token;
      expect(await callWith(bearer)).toMatchObject({ status: 401 });
    });

    it.each<[string, string, Partial<ProofOf>]>([
      ['another token', 'invalid_dpop_proof', { credential: 'bwp_at_other' }],
      ['no token', 'invalid_dpop_proof', { claims: { ath: undefined } }],
      ['another method', 'invalid_dpop_proof', { method: 'POST' }],
      ['another path', 'invalid_dpop_proof', { url: 'http://localhost:3000/api/v1/scopes' }],
      ['an old time', 'use_dpop_nonce', { claims: { iat: 1 } }],
    ])('is refused with a proof for %s (§4.3)', async (_what, error, more) => {
      const answer = await callWith(token, more);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain(`DPoP realm="api", error="${error}"`);
      expect(answer.headers['dpop-nonce']).toMatch(/./);
    });

    it('is accepted with a query in the URL of the request, and without it in the proof', async () => {
      const url = `${gatehouse.config.ISSUER}/api/v1/contacts`;
      const proof = await prover.prove({ url, credential: token });
      const answer = await call(`DPoP ${token}`, [proof], '/api/v1/contacts?limit=1');
      expect(answer.status).toBe(200);
      expect(answer.headers['dpop-nonce']).toMatch(/./);
    });

    it('refuses a proof the second time', async () => {
      const proof = await prover.prove({ url: me, credential: token });
      expect(await call(`DPoP ${token}`, [proof])).toMatchObject({ status: 200 });
      const replay = await call(`DPoP ${token}`, [proof]);
      expect(replay.status).toBe(401);
      expect(replay.headers['www-authenticate']).toContain('error="invalid_dpop_proof"');
    });

    it('needs one proof for a request whose body arrives late', async () => {
      const url = `${gatehouse.config.ISSUER}/api/v1/contacts`;
      const proof = await prover.prove({ method: 'POST', url, credential: token });
      const bearer = { Authorization: `DPoP ${token}`, DPoP: proof };
      expect(await finishRequest(await openRequest(gatehouse, { bearer }))).toBe(201);
    });

    it('is accepted at userinfo with a proof, and refused without', async () => {
      const url = `${gatehouse.config.ISSUER}/api/v1/oauth/userinfo`;
      const path = '/api/v1/oauth/userinfo';
      const proof = await prover.prove({ url, credential: token });
      expect(await call(`DPoP ${token}`, [proof], path)).toMatchObject({ status: 200 });
      expect(await call(`Bearer ${token}`, [], path)).toMatchObject({ status: 401 });
    });

    it('is described by introspection with its key (§6.2)', async () => {
      const tenant = await gatehouse.createTenant('inspector');
      const inspector = await createUser(gatehouse, [[tenant, 'company_admin']]);
      const confidential = await registerClient(gatehouse, {
        token_endpoint_auth_method: 'client_secret_post',
      });
      const form = await getCodeForm(gatehouse, { client: confidential, user: inspector });
      const issued = (await (await exchange(form, prover)).json()) as TokenResponse;
      const answer = await post(gatehouse, 'introspect', {
        token: issued.access_token,
        ...authenticationOf(confidential),
      });
      expect(await answer.json()).toMatchObject({
        active: true,
        token_type: 'DPoP',
        cnf: { jkt: prover.thumbprint },
      });
    });
  });

  describe('an API key with a jwk', () => {
    const makeKey = async (body: object = {}) => {
      const tenant = await gatehouse.createTenant(`keys-${Math.random()}`.replace('.', ''));
      const manager = await gatehouse.createKey(tenant, {
        scopes: ['api_keys:manage', 'contacts:read'],
      });
      const create = (more: object, secret = manager.secret) =>
        gatehouse.http
          .post('/api/v1/api-keys')
          .set('Authorization', `Bearer ${secret}`)
          .send({ name: 'Bound', scopes: ['contacts:read'], ...body, ...more });
      return { tenant, manager, create };
    };

    it('is useless without a proof by the key', async () => {
      const { create } = await makeKey();
      const { status, body } = await create({ jwk: { ...prover.jwk, kid: 'mine' } });
      expect(status).toBe(201);
      expect(body.data.jwkThumbprint).toBe(prover.thumbprint);
      const { key } = body.data;
      expect(await callWith(key)).toMatchObject({ status: 200 });
      expect(await callWith(key, {}, await createProver())).toMatchObject({ status: 401 });
      for (const headers of [
        { Authorization: `Bearer ${key}` },
        { Authorization: `Token ${key}` },
        { 'X-API-Key': key },
      ]) {
        expect((await gatehouse.http.get('/api/v1/me').set(headers)).status).toBe(401);
      }
    });

    it('stays bound when it is rotated, and makes only keys with the same binding', async () => {
      const { create, manager } = await makeKey({ scopes: ['api_keys:manage', 'contacts:read'] });
      const { body } = await create({ jwk: prover.jwk });
      const { id, key } = body.data;
      const send = async (path: string, json: object, secret: string) => {
        const url = `${gatehouse.config.ISSUER}${path}`;
        const proof = await prover.prove({ method: 'POST', url, credential: secret });
        const headers = { Authorization: `DPoP ${secret}`, DPoP: proof };
        return gatehouse.http.post(path).set(headers).send(json);
      };
      const unbound = { name: 'Unbound', scopes: ['contacts:read'] };
      expect(await send('/api/v1/api-keys', unbound, key)).toMatchObject({ status: 403 });
      const bound = await send('/api/v1/api-keys', { ...unbound, jwk: prover.jwk }, key);
      expect(bound.status).toBe(201);
      const rotated = await gatehouse.http
        .post(`/api/v1/api-keys/${id}/rotate`)
        .set('Authorization', `Bearer ${manager.secret}`)
        .send({});
      expect(rotated.status).toBe(201);
      const successor = rotated.body.data.key;
      expect(await call(`Bearer ${successor}`)).toMatchObject({ status: 401 });
      expect(await callWith(successor)).toMatchObject({ status: 200 });
    });

    it.each<[string, object]>([
      ['a private key', { jwk: { kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c' } }],
      [
        'a point off the curve',
        { jwk: { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } },
      ],
      ['a symmetric key', { jwk: { kty: 'oct', k: 'AAAA' } }],
      ['a publishable key', { kind: 'publishable', scopes: ['products:read'], jwk: 'own' }],
    ])('is refused with 422 for %s', async (_what, body) => {
      const { manager, tenant } = await makeKey();
      const full = await gatehouse.createKey(tenant, {
        scopes: ['api_keys:manage', 'contacts:read', 'products:read'],
      });
      const own = { ...body, ...('jwk' in body && body.jwk === 'own' && { jwk: prover.jwk }) };
      const { status, body: answer } = await gatehouse.http
        .post('/api/v1/api-keys')
        .set('Authorization', `Bearer ${'kind' in body ? full.secret : manager.secret}`)
        .send({ name: 'Bound', scopes: ['contacts:read'], ...own });
      expect([status, answer.errors?.[0]?.field]).toEqual([422, expect.stringMatching(/^jwk/)]);
    });
  });
});
