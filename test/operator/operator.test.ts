import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { createAccountLinks } from '../../src/accounts/links/account-links.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createOperatorKey, type Method, operatorSender } from '../support/app/operator.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const gatehouse = useGatehouse();
let tenant: Tenant;
let all: TestKey;
let send: ReturnType<typeof operatorSender>;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  all = await createOperatorKey(gatehouse);
  send = operatorSender(gatehouse, all);
});

/** The data of a successful answer. */
const data = async (method: Method, path: string, body?: object) => {
  const answer = await send(method, path, body);
  expect([path, answer.status, answer.body.detail]).toEqual([
    path,
    answer.status < 300 ? answer.status : 'a success',
    undefined,
  ]);
  return answer.body.data;
};

describe('tenants and accounts by their external ids', () => {
  const mirror = (path: string, body: object) => send('put', path, body);

  it('are created by one of twenty simultaneous calls, and updated by later ones', async () => {
    const path = 'tenants/by-external-id/4711';
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => mirror(path, { name: 'Acme', metadata: { plan: 'pro' } })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([...Array.from({ length: 19 }, () => 200), 201]);
    expect(new Set(answers.map(({ body }) => body.data.id)).size).toBe(1);
    const updated = await mirror(path, { name: 'Acme Ltd' });
    expect(updated.body.data).toMatchObject({
      name: 'Acme Ltd',
      externalId: '4711',
      metadata: { plan: 'pro' },
    });
    const { id } = updated.body.data;
    const { body } = await send('get', `audit-log?tenantId=${id}`);
    expect((body.data as { action: string }[]).map(({ action }) => action)).toEqual([
      'tenant.update',
      'tenant.create',
    ]);
    expect(body.data[0].actor).toEqual({ type: 'operator_key', id: all.id, name: null });
    const found = await data('get', 'tenants?externalId=4711&metadata[plan]=pro');
    expect(found).toMatchObject([{ id }]);
    expect(await data('get', 'tenants?metadata[plan]=free')).toEqual([]);
    for (const id of ['%00', '%ff', 'a%00', '%E4']) {
      const answer = await mirror(`tenants/by-external-id/${id}`, { name: 'Unreadable' });
      expectInvalid(answer, ['externalId']);
    }

    const person = { email: 'Ann@Acme.example', name: 'Ann', metadata: { vip: true } };
    const people = await Promise.all(
      Array.from({ length: 20 }, () => mirror('accounts/by-external-id/u%2F1', person)),
    );
    expect(people.map(({ status }) => status).filter((status) => status === 201)).toHaveLength(1);
    expect(people[0]?.body.data).toMatchObject({
      email: 'ann@acme.example',
      externalId: 'u/1',
      emailVerified: false,
    });
    expect(await data('get', 'accounts?metadata[vip]=true')).toHaveLength(1);
  });

  it('give an account that has the address its external id, and no second one', async () => {
    const made = await data('post', 'accounts', { email: 'bob@acme.example', emailVerified: true });
    const first = await mirror('accounts/by-external-id/bob', { email: 'bob@acme.example' });
    expect({ status: first.status, id: first.body.data.id }).toEqual({ status: 200, id: made.id });
    const second = await mirror('accounts/by-external-id/other', { email: 'bob@acme.example' });
    expectProblem(second, 409, 'conflict');
    const moved = await mirror('accounts/by-external-id/bob', { email: 'rob@acme.example' });
    expect(moved.body.data).toMatchObject({ id: made.id, emailVerified: false });
    const long = await mirror(`accounts/by-external-id/${'x'.repeat(256)}`, { email: 'a@b.cc' });
    expectInvalid(long, ['externalId']);
  });
});

describe('a change of an account or tenant', () => {
  it('answers 409 to all but one of simultaneous changes to one address, or to one slug', async () => {
    const made = await Promise.all(
      ['p', 'q', 'r', 's', 't'].map(async (name) => ({
        account: await data('post', 'accounts', { email: `${name}@race.example` }),
        tenant: await data('post', 'tenants', { name: `Race ${name}` }),
      })),
    );
    const statusesOf = async (kind: 'account' | 'tenant', body: object) => {
      const answers = await Promise.all(
        made.map((each) => send('patch', `${kind}s/${each[kind].id}`, body)),
      );
      return answers.map(({ status }) => status).toSorted();
    };
    expect(await statusesOf('account', { email: 'one@race.example' })).toEqual([
      200, 409, 409, 409, 409,
    ]);
    expect(await statusesOf('tenant', { slug: 'one-race' })).toEqual([200, 409, 409, 409, 409]);
  });

  it('ends the links for a new password that the former address has received', async () => {
    const { id } = await data('post', 'accounts', { email: 'former@acme.example' });
    const links = createAccountLinks(
      gatehouse.dataSource.manager,
      gatehouse.keyring,
      gatehouse.format,
    );
    const secret = await links.create('password', { accountId: id, email: 'former@acme.example' });
    await data('patch', `accounts/${id}`, { name: 'Renamed' });
    expect(await links.find('password', secret)).toMatchObject({ accountId: id });
    await data('patch', `accounts/${id}`, { email: 'latter@acme.example' });
    expect(await links.find('password', secret)).toBeUndefined();
  });
});

describe("the operator's API", () => {
  it('creates, pages through, changes and suspends tenants', async () => {
    const made = await data('post', 'tenants', { name: 'Suspended', slug: 'suspended' });
    expectProblem(await send('post', 'tenants', { name: 'x', slug: 'suspended' }), 409, 'conflict');
    expectInvalid(await send('post', 'tenants', { name: '', more: 1 }), ['name', 'more']);
    for (const body of [{ name: all.secret }, { email: 'x@acme.example', name: all.secret }]) {
      const path = 'email' in body ? 'accounts' : 'tenants';
      expectInvalid(await send('post', path, body), ['name']);
    }
    const key = await gatehouse.createKey(made);
    expectInvalid(await send('post', `tenants/${made.id}/suspend`, { more: 1 }), ['more']);
    const why = { reason: 'unpaid' };
    expect(await data('post', `tenants/${made.id}/suspend`, why)).toMatchObject({
      status: 'suspended',
    });
    const [entry] = await data('get', `audit-log?tenantId=${made.id}`);
    expect(entry).toMatchObject({ action: 'tenant.suspend', details: why });
    const me = () => gatehouse.http.get('/api/v1/me').set(key.bearer);
    expectProblem(await me(), 403, 'tenant_suspended');
    await data('post', `tenants/suspended/resume`);
    expect((await me()).status).toBe(200);
    const changed = await data('patch', `tenants/${made.id}`, { externalId: 'c-1' });
    expect(changed).toMatchObject({ name: 'Suspended', externalId: 'c-1' });
    expectProblem(
      await send('patch', `tenants/${tenant.id}`, { externalId: 'c-1' }),
      409,
      'conflict',
    );
    expectProblem(await send('get', 'tenants/tnt_x'), 404, 'not_found');

    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { body } = await send('get', `tenants?limit=1${query}`);
      seen.push(...(body.data as { id: string }[]).map(({ id }) => id));
      ({ cursor } = body.meta.pagination);
      if (cursor !== null) {
        expectProblem(await send('get', `accounts?cursor=${cursor}`), 400, 'bad_request');
      }
    }
    expect(seen).toEqual(seen.toSorted().reverse());
    expect(seen).toContain(tenant.id);
  });

  it('replays an answer under an idempotency key, for the same operator key only', async () => {
    const post = (by: TestKey, name: string) =>
      send('post', 'tenants', { name }, { ...by.bearer, 'Idempotency-Key': 'once' });
    const [first, second] = [await post(all, 'Once'), await post(all, 'Once')];
    expect(second.body).toEqual(first.body);
    expectProblem(await post(all, 'Twice'), 409, 'idempotency_key_reused');
    // A password could be guessed from the unkeyed hash of its request.
    const [row] = await gatehouse.database.query<{ fingerprint: string }>(
      `SELECT fingerprint FROM idempotency_records WHERE scope = 'operator'`,
    );
    const parts = JSON.stringify(['POST', '/api/v1/operator/tenants', '', all.id]);
    const unkeyed = createHash('sha256').update(`${parts}\n{"name":"Once"}`).digest('hex');
    expect(row?.fingerprint).not.toBe(unkeyed);
    const other = await createOperatorKey(gatehouse, {});
    expectProblem(await post(other, 'Once'), 409, 'idempotency_key_reused');
  });

  it('manages accounts and memberships', async () => {
    const email = 'carol@acme.example';
    const account = await data('post', 'accounts', { email, password: 'a long enough password' });
    expectProblem(await send('post', 'accounts', { email }), 409, 'conflict');
    expect(await data('get', `accounts?email=Carol@acme.example`)).toMatchObject([
      { id: account.id },
    ]);
    const named = await data('patch', `accounts/${account.id}`, { name: 'Carol' });
    expect(named).toMatchObject({ name: 'Carol', email });
    const body = { accountId: account.id, tenantId: tenant.id, role: 'viewer' };
    const membership = await data('post', 'memberships', body);
    expect(membership).toMatchObject({ id: `${account.id}@${tenant.id}`, role: 'viewer' });
    expectProblem(await send('post', 'memberships', body), 409, 'conflict');
    expect(await data('get', `memberships?accountId=${account.id}`)).toEqual([membership]);
    expectInvalid(await send('get', 'memberships'), ['tenantId']);
    expectInvalid(await send('post', 'memberships', { ...body, accountId: 'a\0' }), ['accountId']);
    const path = `memberships/${membership.id}`;
    expect(await data('patch', path, { role: 'manager' })).toMatchObject({ role: 'manager' });
    expectProblem(await send('delete', `${path}@${tenant.id}`), 404, 'not_found');
    await gatehouse.database.query(
      `UPDATE memberships SET role = 'left_the_catalogue' WHERE account_id = $1`,
      [account.id],
    );
    expect(await data('get', path)).toMatchObject({ role: 'left_the_catalogue' });
    expect((await send('delete', path)).status).toBe(204);
    expectProblem(await send('get', path), 404, 'not_found');
    const reset = await data('post', `accounts/${account.id}/password`, {
      password: 'another long password',
    });
    expect(reset).toEqual({ id: account.id, endedSessions: 0 });
    const secrets = await send('get', `audit-log?object=${account.id}`);
    expect(JSON.stringify(secrets.body)).not.toContain('a long enough password');
  });

  it('manages keys and spaces of any tenant', async () => {
    const space = await data('post', 'spaces', { tenantId: tenant.id, name: 'Yard' });
    const at = `spaces/${space.id}`;
    await data('patch', at, { tenantId: tenant.id, metadata: { a: 1 } });
    expect(await data('get', `${at}?tenantId=${tenant.id}`)).toMatchObject({ metadata: { a: 1 } });
    expect(await data('get', at)).toMatchObject({ id: space.id });
    expect(await data('patch', at, { name: 'Back yard' })).toMatchObject({ name: 'Back yard' });
    expectProblem(await send('get', 'spaces/spc_x'), 404, 'not_found');
    expect(await data('get', `spaces?tenantId=acme&metadata[a]=1`)).toHaveLength(1);
    const other = await gatehouse.createTenant('elsewhere');
    expectProblem(await send('get', `${at}?tenantId=${other.id}`), 404, 'not_found');

    const fields = { tenantId: tenant.id, name: 'By operator', scopes: ['contacts:read'] };
    const key = await data('post', 'api-keys', { ...fields, externalId: 'op-1' });
    expect(key).toMatchObject({ createdBy: all.id, key: expect.stringMatching(/^bwp_live_/) });
    expectInvalid(await send('post', 'api-keys', { ...fields, scopes: ['x'] }), ['scopes.0']);
    expectInvalid(await send('post', 'api-keys', { ...fields, tenantId: 1, more: 1 }), [
      'tenantId',
      'more',
    ]);
    expect(await data('get', `api-keys?tenantId=${tenant.id}&externalId=op-1`)).toHaveLength(1);
    expect(await data('get', `api-keys/${key.id}`)).not.toHaveProperty('key');
    expect(await data('patch', `api-keys/${key.id}`, { name: 'Renamed' })).toMatchObject({
      name: 'Renamed',
    });
    const next = await data('post', `api-keys/${key.id}/rotate`, {});
    expect(next).toMatchObject({ replaces: key.id, externalId: 'op-1' });
    expect((await send('delete', `api-keys/${next.id}`, {})).status).toBe(204);
    const used = await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${next.key}`);
    expectProblem(used, 401, 'unauthorized');
    expectProblem(await send('get', 'api-keys/key_x'), 404, 'not_found');
  });

  it('registers, verifies, blocks and ends clients, and ends grants', async () => {
    const metadata = {
      client_name: 'Partner',
      redirect_uris: ['https://partner.example.com/cb'],
      token_endpoint_auth_method: 'client_secret_basic',
    };
    const client = await data('post', 'clients', metadata);
    expect(client).toMatchObject({
      verified: true,
      type: 'confidential',
      clientSecret: expect.stringMatching(/^bwp_cs_/),
      registrationToken: expect.stringMatching(/^bwp_rat_/),
    });
    expectInvalid(await send('post', 'clients', { ...metadata, redirect_uris: ['data:x'] }), [
      'redirect_uris',
    ]);
    const path = `clients/${client.id}`;
    expect(await data('patch', path, { requiresPushedRequests: true })).toMatchObject({
      requiresPushedRequests: true,
    });
    expect(await data('post', `${path}/block`, {})).toMatchObject({ status: 'blocked' });
    expect(await data('post', `${path}/unblock`, {})).toMatchObject({ status: 'active' });
    expect(await data('get', 'clients?limit=1')).toMatchObject([{ id: expect.any(String) }]);

    const user = await createUser(gatehouse, [[tenant, 'manager']]);
    const app = await registerClient(gatehouse);
    const { access_token: token } = await getTokens(gatehouse, { client: app, user });
    const me = () => gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`);
    expect((await me()).status).toBe(200);
    const [grant] = await data('get', `grants?accountId=${user.id}`);
    expect(grant).toMatchObject({ status: 'active', clientId: app.client_id });
    expect(await data('get', `grants/${grant.id}`)).toEqual(grant);
    expect((await send('delete', `grants/${grant.id}`, {})).status).toBe(204);
    expect(await data('get', `grants/${grant.id}`)).toMatchObject({ status: 'revoked' });
    expectProblem(await send('get', 'grants/grt_x'), 404, 'not_found');
    expectProblem(await send('delete', 'grants/grt_x', {}), 404, 'not_found');
    for (const named of [{ email: 'a\0' }, { accountId: 'a\0' }]) {
      expectInvalid(await send('post', 'grants/revoke', named), Object.keys(named));
    }
    expect((await me()).status).toBe(401);
    await data('post', `clients/${app.client_id}/revoke`, { reason: 'gone' });
  });

  it('manages resource servers, revokes subjects, and shows usage', async () => {
    const identifier = 'https://billing.example.com/api';
    const server = await data('post', 'resources', { identifier, name: 'Billing' });
    expect(server.credential).toMatch(/^bwp_rs_/);
    const path = `resources/${server.id}`;
    expect(await data('patch', path, { acceptsKeys: false })).toMatchObject({ acceptsKeys: false });
    await data('post', `${path}/rotate`, {});
    expect((await data('get', path)).credentials).toHaveLength(1);
    expect(await data('get', 'resources')).toEqual(
      expect.arrayContaining([expect.objectContaining({ identifier })]),
    );
    expect((await send('delete', path, {})).status).toBe(204);
    expectProblem(await send('get', path), 404, 'not_found');

    const doomed = await gatehouse.createTenant('doomed');
    const key = await gatehouse.createKey(doomed);
    await data('post', 'revocations', { subject: doomed.id, reason: 'contract ended' });
    expect((await gatehouse.http.get('/api/v1/me').set(key.bearer)).status).toBe(401);
    expectProblem(await send('post', 'revocations', { subject: 'key_x' }), 404, 'not_found');
    expectProblem(await send('post', 'revocations', { subject: all.id }), 404, 'not_found');
    const pasted = await send('post', 'revocations', { subject: key.secret, reason: all.secret });
    expectInvalid(pasted, ['subject', 'reason']);
    expect(pasted.text).not.toMatch(/bwp_(?:live|op)_/);
    const [entry] = await data('get', `audit-log?tenantId=doomed`);
    expect(entry).toMatchObject({
      action: 'subject.revoke',
      details: { reason: 'contract ended' },
    });
    expect(await data('get', `usage?tenantId=${tenant.id}&per=day`)).toMatchObject({ per: 'day' });
    const tested = await gatehouse.createKey(tenant, { environment: 'test' });
    expect(await data('get', `usage?tenantId=acme&key=${tested.id}`)).toMatchObject({
      key: tested.id,
      environment: 'test',
    });
    for (const query of ['acme&key=key_x', `elsewhere&key=${tested.id}`]) {
      expectProblem(await send('get', `usage?tenantId=${query}`), 404, 'not_found');
    }
  });
});
