import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createKeyDesk, type KeyDesk } from '../support/app/key-desk.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * BuildWorkPro's page on API keys, from its top to the list of addresses; the rest is in buildworkpro-practice.test.ts.
 *
 * Its words and ours: what is clicked in its settings is asked of `/api/v1/api-keys`, by a caller who carries
 * `api_keys:manage`.
 *
 * Deliberately different: keys for `test` are a world of their own, which that page expects of later; the list of
 * addresses can be changed over the API, which it expects of later too; `/products` may be read by pages of any
 * origin, but with a publishable key only.
 *
 * Not about credentials: where its settings are, its example of a self-hosted tool, and links to further pages.
 */

type Headers = Readonly<Record<string, string>>;

const SCOPES = ['contacts:read', 'contacts:write', 'leads:read'];

describe('BuildWorkPro: API keys', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let desk: KeyDesk;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    desk = createKeyDesk(gatehouse, await gatehouse.createKey(tenant));
    key = await desk.issue({ name: 'Internal sync script', scopes: SCOPES });
  });

  const issue = (more: object = {}) => desk.issue({ scopes: SCOPES, ...more });
  const send = (
    method: 'get' | 'post' | 'patch' | 'delete',
    path: string,
    { bearer }: Pick<TestKey, 'bearer'>,
    { headers = {}, body }: { headers?: Headers; body?: object } = {},
  ) =>
    gatehouse.http[method](`/api/v1${path}`)
      .set({ ...bearer, ...headers })
      .send(body);
  const tokenOf = async (at: Tenant, role: 'company_admin' | 'manager', scope: string) => {
    const user = await createUser(gatehouse, [[at, role]]);
    const client = await registerClient(gatehouse, { client_name: 'Marketplace app' });
    const tokens = await getTokens(gatehouse, { client, user, parameters: { scope } });
    const bearer = { Authorization: `Bearer ${tokens.access_token}` };
    return { user, granted: tokens.scope, bearer };
  };

  describe('their purpose', () => {
    // Sentences 1 and 2.
    it('a key calls the API for its tenant, and ends by itself only if that was asked for', async () => {
      const { expiresAt } = await desk.show(key.id);

      expect(expiresAt).toBeNull();
      await gatehouse.database.shiftClock('20 years');
      const { status } = await send('get', '/contacts', key);
      await gatehouse.database.shiftClock('0');
      expect(status).toBe(200);
    });

    // Sentences 3 and 4.
    it('an app for other tenants gets a token instead, each for who agreed and where', async () => {
      const other = await gatehouse.createTenant('other');
      for (const at of [tenant, other]) {
        const { user, bearer } = await tokenOf(at, 'manager', 'contacts:read');
        const { body } = await send('get', '/me', { bearer }).expect(200);
        expect(body.data).toMatchObject({ tenantId: at.id, userId: user.id });
      }
    });

    // The two prefixes.
    it('live keys and test keys differ in what they start with', async () => {
      const test = await issue({ environment: 'test' });

      expect([key.secret.slice(0, 9), test.secret.slice(0, 9)]).toEqual(['bwp_live_', 'bwp_test_']);
      expect((await send('get', '/me', test)).body.data.environment).toBe('test');
    });

    // The paragraph about test keys: nothing but the key is changed, though here what they reach is apart.
    it('a program written for one works with the other', async () => {
      const program = async (by: TestKey) => {
        const body = { firstName: 'Jane', type: 'customer' };
        const created = await send('post', '/contacts', by, { body });
        const { id } = created.body.data;
        const found = await send('get', `/contacts/${id}`, by);
        return { id, statuses: [created.status, found.status], name: found.body.data.firstName };
      };
      const test = await issue({ environment: 'test' });
      const [inLive, inTest] = [await program(key), await program(test)];

      expect(inTest).toEqual({ ...inLive, id: inTest.id });
      expectProblem(await send('get', `/contacts/${inLive.id}`, test), 404, 'not_found');
    });
  });

  describe('creating one', () => {
    // Step 1: no app gets to do so, not even an administrator's; and no key that was not allowed to.
    it('is refused to tokens of apps, and to keys that do not manage keys', async () => {
      const body = { name: 'Mine', scopes: ['contacts:read'] };
      const admin = await tokenOf(tenant, 'company_admin', 'contacts:read api_keys:manage');
      expect(admin.granted).toBe('contacts:read');

      // A key may end itself, and no other.
      const other = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      for (const by of [admin, await tokenOf(tenant, 'manager', 'contacts:read'), key]) {
        expectProblem(await send('post', '/api-keys', by, { body }), 403, 'scope_insufficient');
        expectProblem(await send('delete', `/api-keys/${other.id}`, by), 403, 'scope_insufficient');
      }
      await send('get', '/me', other).expect(200);
    });

    // Steps 2 and 3.
    it('takes a clear name', async () => {
      const { id, shown } = await issue({ name: 'Nightly QuickBooks export' });

      expect(shown.name).toBe('Nightly QuickBooks export');
      expect((await desk.list()).find((item) => item.id === id)?.name).toBe(shown.name);
      expectInvalid(await desk.ask({ scopes: SCOPES }), ['name']);
      expectInvalid(await desk.ask({ name: ' ', scopes: SCOPES }), ['name']);
    });

    // Step 4.
    it('takes scopes: an action on one family of things each, of a catalogue that all can see', async () => {
      const { body } = await gatehouse.http.get('/api/v1/scopes').expect(200);
      const names = body.data.map(({ name }: { name: string }) => name);
      expect(names).toEqual(
        expect.arrayContaining([
          'contacts:read',
          'contacts:write',
          'contacts:delete',
          'pay_apps:approve',
        ]),
      );

      const reader = await issue({ scopes: ['leads:read'] });
      expectProblem(await send('get', '/contacts', reader), 403, 'scope_insufficient');
      expectInvalid(await desk.ask({ name: 'x', scopes: ['contacts:everything'] }), ['scopes.0']);
      const later = await issue({ scopes: ['contacts:read'] });
      await send('get', '/contacts', later).expect(200);
    });

    // Step 5.
    it('takes a list of addresses if you like', async () => {
      const allowedIps = ['198.51.100.7', '203.0.113.0/24', '2001:db8::/32'];

      expect((await issue({ allowedIps })).shown.allowedIps).toEqual(allowedIps);
      expect((await issue()).shown.allowedIps).toBeNull();
    });

    // Step 6.
    it('shows the full key once', async () => {
      const { id, secret } = await issue();

      for (const shown of [await desk.show(id), await desk.list('?limit=100')]) {
        expect(JSON.stringify(shown)).not.toContain(secret);
      }
    });
  });

  describe('using one', () => {
    it('as a bearer: /me says what it is bound to and may do', async () => {
      const answer = await send('get', '/me', key).expect(200);

      expect(answer.body).toEqual({
        data: {
          keyId: key.id,
          keyName: 'Internal sync script',
          tenantId: tenant.id,
          scopes: SCOPES,
          type: 'api_key',
          environment: 'live',
          principal: {
            kind: 'tenant',
            id: tenant.id,
          },
        },
        meta: { request_id: answer.headers['x-request-id'] },
      });
      expect([key.id, tenant.id]).toEqual([
        expect.stringMatching(/^key_[0-9A-Z]{26}$/),
        expect.stringMatching(/^tnt_[0-9A-Z]{26}$/),
      ]);
    });

    // The paragraph about Idempotency-Key, and its example.
    describe('with an Idempotency-Key', () => {
      const jane = {
        firstName: 'Jane',
        lastName: 'Doe',
        email: 'jane@example.com',
        type: 'customer',
      };
      const twice = async (
        method: 'post' | 'patch' | 'delete',
        path: string,
        by: TestKey,
        body?: object,
      ) => {
        const headers = { 'Idempotency-Key': randomUUID() };
        const first = await send(method, path, by, { headers, ...(body && { body }) });
        const again = await send(method, path, by, { headers, ...(body && { body }) });
        expect([again.status, again.text]).toEqual([first.status, first.text]);
        return first;
      };

      it('a request that is repeated after a hiccup is answered as before, and not done again', async () => {
        const full = await issue({ scopes: [...SCOPES, 'contacts:delete'] });
        const created = await twice('post', '/contacts', full, jane);
        expect(created.status).toBe(201);
        expect(created.body.data).toMatchObject(jane);
        const path = `/contacts/${created.body.data.id}`;
        const list = await send('get', '/contacts?limit=100', full);
        const made = list.body.data.filter(({ email }: { email: string }) => email === jane.email);
        expect(made).toHaveLength(1);

        const changed = await twice('patch', path, full, { phone: '5' });
        expect([changed.status, changed.body.data.phone]).toEqual([200, '5']);
        expect((await twice('delete', path, full)).status).toBe(204);
        expectProblem(await send('delete', path, full), 404, 'not_found');
      });

      it('another operation takes another', async () => {
        const john = { firstName: 'John', type: 'customer' };
        const headers = { 'Idempotency-Key': randomUUID() };
        const first = await send('post', '/contacts', key, { headers, body: john });
        const body = { ...john, phone: '5' };

        const reused = await send('post', '/contacts', key, { headers, body });
        expectProblem(reused, 409, 'idempotency_key_reused');
        headers['Idempotency-Key'] = randomUUID();
        const second = await send('post', '/contacts', key, { headers, body: john }).expect(201);
        expect(second.body.data.id).not.toBe(first.body.data.id);
      });
    });
  });

  describe('its addresses', () => {
    const from = (address: string, by: TestKey) =>
      send('get', '/contacts', by, { headers: { 'X-Forwarded-For': address } });

    // Sentences 1 and 2.
    it('it works from those that are listed, and is a wrong key anywhere else', async () => {
      const limited = await issue({ allowedIps: ['203.0.113.0/24'] });

      expect((await from('203.0.113.9', limited)).status).toBe(200);
      const refused = await from('198.51.100.9', limited);
      expectProblem(refused, 401, 'unauthorized');
      const bearer = { Authorization: `Bearer ${gatehouse.format.mint('live')}` };
      expect(refused.body.detail).toBe(
        (await from('203.0.113.9', { ...limited, bearer })).body.detail,
      );
    });

    // Sentence 3.
    it('they can be changed later', async () => {
      const { id, ...limited } = await issue({ allowedIps: ['203.0.113.0/24'] });
      await desk.change(id, { allowedIps: ['198.51.100.9'] }).expect(200);

      expect((await from('198.51.100.9', { id, ...limited })).status).toBe(200);
      expectProblem(await from('203.0.113.9', { id, ...limited }), 401, 'unauthorized');
    });
  });
});
