import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { createCredential } from '../../support/app/credentials.js';
import { createUser, getTokens, registerClient } from '../../support/oauth/oauth.js';
import { expectProblem } from '../../support/app/problems.js';
import { createSpace } from '../../support/app/spaces.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const PUBLIC = { kind: 'publishable', scopes: ['products:read'] };

describe("a publishable key beside a user's token", () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let space: string;
  let token: string;
  let live: TestKey;
  let test: TestKey;
  let confined: TestKey;
  let personal: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    space = await createSpace(gatehouse, tenant, 'Two');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const parameters = { scope: 'contacts:read contacts:write' };
    token = (await getTokens(gatehouse, { client, user, parameters })).access_token;
    live = await gatehouse.createKey(tenant, PUBLIC);
    test = await gatehouse.createKey(tenant, { ...PUBLIC, environment: 'test' });
    confined = await gatehouse.createKey(tenant, { ...PUBLIC, spaces: [space] });
    personal = await createCredential(gatehouse, tenant, 'personal', ['contacts:read']);
  });

  const get = (path: string, key: TestKey | string, bearer = token, scheme = 'Bearer') =>
    gatehouse.http.get(`/api/v1${path}`).set({
      Authorization: `${scheme} ${bearer}`,
      'X-API-Key': typeof key === 'string' ? key : key.secret,
    });
  const post = (key: TestKey, headers: Record<string, string> = {}) =>
    gatehouse.http
      .post('/api/v1/contacts')
      .set({ Authorization: `Bearer ${token}`, 'X-API-Key': key.secret, ...headers })
      .send({ type: 'customer' });

  it("has the token's scopes and identity, and the key's environment", async () => {
    const answer = await get('/me', test);

    expect(answer.body.data).toMatchObject({
      type: 'access_token',
      environment: 'test',
      scopes: ['contacts:read', 'contacts:write'],
      tenantId: tenant.id,
    });
    expect((await get('/me', live)).body.data).toMatchObject({ environment: 'live' });
    const alone = await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`);
    expect(alone.body.data).toMatchObject({ environment: 'live' });
  });

  it("writes where the key is, and adds none of the key's scopes", async () => {
    const { id } = (await post(test).expect(201)).body.data;

    await get(`/contacts/${id}`, test).expect(200);
    expectProblem(await get(`/contacts/${id}`, live), 404, 'not_found');
    expectProblem(await get('/products', test), 403, 'scope_insufficient');
  });

  it("enters the key's spaces only", async () => {
    expectProblem(await post(confined), 403, 'forbidden');
    const { id } = (await post(confined, { 'X-Bwp-Space': space }).expect(201)).body.data;

    await get(`/contacts/${id}`, live).set('X-Bwp-Space', space).expect(200);
    expectProblem(await get(`/contacts/${id}`, live), 404, 'not_found');
  });

  it("manages keys only as far as the key's environment and spaces", async () => {
    const manager = await createCredential(gatehouse, tenant, 'personal', [
      'contacts:read',
      'api_keys:manage',
    ]);
    const create = (key: TestKey, fields: object) =>
      gatehouse.http
        .post('/api/v1/api-keys')
        .set({ ...manager.bearer, 'X-API-Key': key.secret })
        .send({ name: 'Made', scopes: ['contacts:read'], ...fields });

    expectProblem(await create(test, { environment: 'live' }), 403, 'forbidden');
    expectProblem(await create(confined, {}), 403, 'forbidden');
    await create(confined, { spaces: [space] }).expect(201);
    await create(test, { environment: 'test' }).expect(201);
    await create(live, {}).expect(201);
  });

  it('gets no stored answer of a key that enters other spaces', async () => {
    const headers = { 'Idempotency-Key': 'once' };
    await post(live, headers).expect(201);

    expectProblem(await post(confined, headers), 409, 'idempotency_key_reused');
    expectProblem(await post(test, headers), 409, 'idempotency_key_reused');
    await post(live, headers).expect(201);
  });

  it('is the same in each of the schemes, and for personal tokens', async () => {
    for (const scheme of ['Bearer', 'bearer', 'Token']) {
      await get('/me', test, token, scheme).expect(200);
    }
    expect((await get('/me', test, personal.secret)).body.data).toMatchObject({
      type: 'personal_access_token',
      keyId: personal.id,
      environment: 'test',
    });
  });

  it('must be of the same tenant', async () => {
    const other = await gatehouse.createTenant('other');
    const foreign = await gatehouse.createKey(other, PUBLIC);

    expectProblem(await get('/me', foreign), 403, 'forbidden');
  });

  it('fails with either of them', async () => {
    const over = await gatehouse.createKey(tenant, PUBLIC);
    await get('/me', over).expect(200);
    await gatehouse.http
      .post('/api/v1/oauth/revoke')
      .type('form')
      .send({ token: over.secret })
      .expect(200);
    await get('/me', over).expect(200);
    await gatehouse.database.query(
      `INSERT INTO revocations (subject, seq, revoked_by) VALUES ($1, nextval('issue_order'), 'test')`,
      [over.id],
    );

    expectProblem(await get('/me', over), 401, 'unauthorized');
    expectProblem(await get('/me', live, gatehouse.format.mint('at')), 401, 'unauthorized');
    expectProblem(await get('/me', live, 'nonsense'), 401, 'unauthorized');
    const elsewhere = await gatehouse.createKey(tenant, { ...PUBLIC, allowedIps: ['192.0.2.1'] });
    expectProblem(await get('/me', elsewhere), 401, 'unauthorized');
  });

  it('combines with no other credential', async () => {
    const secret = await gatehouse.createKey(tenant);
    const service = await gatehouse.createKey(tenant, { kind: 'service', scopes: ['leads:read'] });
    for (const [key, bearer] of [
      [live, secret.secret],
      [live, service.secret],
      [live, live.secret],
      [live, test.secret],
      [secret, token],
      ['', token],
    ] as const) {
      expectProblem(await get('/me', key, bearer), 400, 'bad_request');
    }
    const brand = gatehouse.http
      .get('/api/v1/me')
      .set({ 'X-Bwp-Api-Token': token, 'X-API-Key': live.secret });
    expectProblem(await brand, 400, 'bad_request');
    const query = gatehouse.http
      .get(`/api/v1/me?auth_token=${live.secret}`)
      .set('Authorization', `Bearer ${token}`);
    expectProblem(await query, 400, 'bad_request');
    const three = get(`/me?auth_token=${live.secret}`, live);
    expectProblem(await three, 400, 'bad_request');
  });

  it('does not lift a token out of the test environment', async () => {
    const scopes = ['contacts:read'] as const;
    const tester = await createCredential(gatehouse, tenant, 'personal', scopes, 'test');

    await get('/me', test, tester.secret).expect(200);
    expectProblem(await get('/me', live, tester.secret), 403, 'forbidden');
  });
});
