// Proofs of possession (RFC 9449) beside the API: exchanges of keys, verdicts for other services, and gateways.
import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createProver, type ProofOf, type Prover } from '../support/oauth/dpop.js';
import { expectOAuthError } from '../support/oauth/oauth-requests.js';
import { post, type TokenResponse } from '../support/oauth/oauth.js';
import { addResourceServer, type TestResourceServer } from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
};
const UPSTREAM = 'https://files.example.com/things/1';

const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
let tenant: Tenant;
let files: TestResourceServer;
let key: TestKey;
/** A key that is useless without a proof by `prover`. */
let boundKey: { readonly id: string; readonly secret: string };
let prover: Prover;
let thief: Prover;
let issuer: string;
let tokenUrl: string;
beforeAll(async () => {
  issuer = gatehouse.config.ISSUER;
  tokenUrl = `${issuer}/api/v1/oauth/token`;
  tenant = await gatehouse.createTenant('acme');
  files = await addResourceServer(gatehouse, 'https://files.example.com');
  prover = await createProver();
  thief = await createProver();
  key = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage', 'contacts:read'] });
  const { body } = await gatehouse.http
    .post('/api/v1/api-keys')
    .set(key.bearer)
    .send({ name: 'Bound', scopes: ['contacts:read'], jwk: prover.jwk });
  boundKey = { id: body.data.id, secret: body.data.key };
});

const proofFor = (more: Partial<ProofOf> = {}, by = prover) => by.prove({ url: UPSTREAM, ...more });
const exchange = (secret: string, proof?: string, more: Readonly<Record<string, string>> = {}) =>
  post(
    gatehouse,
    'token',
    { ...EXCHANGE, subject_token: secret, ...more },
    proof === undefined ? {} : { DPoP: proof },
  );
const atToken = (by = prover) => by.prove({ method: 'POST', url: tokenUrl });
async function boundToken(resource = ''): Promise<string> {
  const answer = await exchange(key.secret, await atToken(), { resource });
  const { access_token, token_type } = (await answer.json()) as TokenResponse;
  expect([answer.status, token_type]).toEqual([200, 'DPoP']);
  return access_token;
}
const nonceOf = async () => {
  const refused = await exchange(key.secret, await proofFor({ url: tokenUrl }));
  return refused.headers.get('DPoP-Nonce') ?? '';
};

describe('an exchange', () => {
  it('binds the token to the key of the proof, and a used proof gives nothing (§5, §11.1)', async () => {
    const proof = await atToken();
    const first = await exchange(key.secret, proof);
    const { access_token: token } = (await first.json()) as TokenResponse;
    await expectOAuthError(await exchange(key.secret, proof), 400, 'invalid_dpop_proof');
    const url = `${issuer}/api/v1/me`;
    const me = async (by?: Prover) =>
      by === undefined
        ? gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`)
        : gatehouse.http
            .get('/api/v1/me')
            .set('Authorization', `DPoP ${token}`)
            .set('DPoP', await by.prove({ url, credential: token }));
    expect((await me()).status).toBe(401);
    expect((await me(thief)).status).toBe(401);
    expect((await me(prover)).status).toBe(200);
  });

  it('needs a proof by the key of a bound key, in both grants', async () => {
    const asClient = async (proof?: string) =>
      post(
        gatehouse,
        'token',
        {
          grant_type: 'client_credentials',
          client_id: boundKey.id,
          client_secret: boundKey.secret,
        },
        proof === undefined ? {} : { DPoP: proof },
      );
    for (const ask of [(proof?: string) => exchange(boundKey.secret, proof), asClient]) {
      for (const answer of [await ask(), await ask(await atToken(thief))]) {
        const { error } = (await answer.json()) as { error: string };
        expect([answer.status, error]).toEqual([400, expect.stringMatching(/^invalid_/)]);
      }
      const good = await ask(await atToken());
      expect([good.status, ((await good.json()) as TokenResponse).token_type]).toEqual([
        200,
        'DPoP',
      ]);
    }
  });

  it('consumes nothing for a wrong proof (§4.3)', async () => {
    for (const more of [
      { method: 'GET' },
      { url: UPSTREAM },
      { claims: { iat: 1 } },
      { header: { typ: 'jwt' } },
    ]) {
      const proof = await prover.prove({ method: 'POST', url: tokenUrl, ...more });
      const answer = await exchange(key.secret, proof);
      expect([answer.status, answer.headers.get('DPoP-Nonce')]).toEqual([
        400,
        expect.stringMatching(/./),
      ]);
    }
  });
});

describe('POST /verify', () => {
  async function verdictOf(
    item: Readonly<Record<string, unknown>>,
    caller = files.bearer,
  ): Promise<{ active: boolean; status?: number; code?: string; detail?: string }> {
    const answer = await gatehouse.http
      .post('/api/v1/verify')
      .set(caller)
      .send({ credentials: [item] });
    expect(answer.status).toBe(200);
    return answer.body.data.verdicts[0];
  }

  it('judges the proof that a service received, for the URL that it serves (§4.3, §7)', async () => {
    const credential = await boundToken(files.identifier);
    const item = async (more: Partial<ProofOf> = {}, by = prover, url = UPSTREAM) => ({
      credential,
      presentation: 'dpop',
      method: 'GET',
      dpop: { url, proof: await proofFor({ credential, ...more }, by) },
    });
    const good = await item();
    expect(await verdictOf(good)).toMatchObject({ active: true });
    expect(await verdictOf(good)).toMatchObject({ active: false, status: 401 });
    for (const wrong of [
      await item({ method: 'POST' }),
      await item({ url: `${UPSTREAM}/other` }),
      await item({ credential: 'bwp_at_other' }),
      await item({ claims: { ath: undefined } }),
      await item({ claims: { iat: 1 } }),
      await item({}, thief),
      await item({}, prover, 'https://elsewhere.example/things/1'),
      { credential },
      { credential, presentation: 'bearer' },
      { credential, presentation: 'dpop' },
      { credential, presentation: 'dpop', dpop: { url: UPSTREAM, proof: 'a.b.c' } },
    ]) {
      expect(await verdictOf(wrong)).toMatchObject({ active: false, status: 401 });
    }
    const nonce = await nonceOf();
    expect(await verdictOf(await item({ nonce, claims: { iat: 1 } }))).toMatchObject({
      active: true,
    });
  });

  it('never accepts a bound key without its proof, and one proof in one of many verdicts', async () => {
    const credential = boundKey.secret;
    expect(await verdictOf({ credential })).toMatchObject({ active: false, status: 401 });
    const dpop = { url: UPSTREAM, proof: await proofFor({ credential }) };
    const item = { credential, presentation: 'dpop', method: 'GET', dpop };
    const answer = await gatehouse.http
      .post('/api/v1/verify')
      .set(files.bearer)
      .send({ credentials: Array.from({ length: 8 }, () => item) });
    const { verdicts } = answer.body.data as { verdicts: { active: boolean }[] };
    expect(verdicts.filter(({ active }) => active)).toHaveLength(1);
  });
});

describe('/forward-auth/*', () => {
  const ask = (headers: Readonly<Record<string, string>>, query = '', path = '/things/1') =>
    gatehouse.http.get(`/api/v1/forward-auth${path}${query}`).set(headers);
  const resource = () => `?resource=${encodeURIComponent(files.identifier)}`;

  it('judges the proof of the request itself, for the resource’s origin (§7.1)', async () => {
    const token = await boundToken(files.identifier);
    const forwarded = { 'X-Forwarded-Method': 'PUT', 'X-Forwarded-Uri': '/things/1?x=1' };
    const send = async (more: Partial<ProofOf> = {}, by = prover, headers = {}) =>
      ask(
        {
          ...forwarded,
          Authorization: `DPoP ${token}`,
          DPoP: await proofFor({ method: 'PUT', credential: token, ...more }, by),
          ...headers,
        },
        resource(),
      );
    const good = await send();
    expect(good.status).toBe(200);
    expect(good.headers['dpop-nonce']).toMatch(/./);
    for (const wrong of [
      await send({ method: 'GET' }),
      await send({ url: `${issuer}/things/1` }),
      await send({ url: UPSTREAM }, prover, { 'X-Forwarded-Uri': '/things/2' }),
      await send({ claims: { iat: 1 } }),
      await send({}, thief),
      await send({}, prover, { Host: 'evil.example', Authorization: `Bearer ${token}` }),
      await ask({ ...forwarded, Authorization: `DPoP ${token}` }, resource()),
      await ask({ ...forwarded, Authorization: `Bearer ${token}` }, resource()),
    ]) {
      expect(wrong.status).toBe(401);
      expect(wrong.headers['www-authenticate']).toMatch(/DPoP .*algs="/);
    }
  });

  it('refuses a proof the second time', async () => {
    const { secret } = boundKey;
    const url = `${issuer}/things/1`;
    const headers = {
      Authorization: `DPoP ${secret}`,
      DPoP: await proofFor({ url, credential: secret }),
      'X-Forwarded-Uri': '/things/1',
    };
    expect((await ask(headers)).status).toBe(200);
    expect((await ask(headers)).status).toBe(401);
    expect((await ask({ 'X-API-Key': secret })).status).toBe(401);
  });
});
