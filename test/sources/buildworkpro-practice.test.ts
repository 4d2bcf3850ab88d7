import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createForeignPage } from '../support/browser/foreign-page.js';
import { createKeyDesk, type KeyDesk } from '../support/app/key-desk.js';
import { finishRequest, openRequest } from '../support/app/late-body.js';
import { createUser, getTokens, post, registerClient } from '../support/oauth/oauth.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * BuildWorkPro's page on API keys, from its advice to its end; what comes before is in buildworkpro.test.ts.
 *
 * Deliberately different: `/products` may be read by pages of any origin, but with a publishable key only.
 *
 * Not about credentials: where its settings are, its example of a self-hosted tool, and links to further pages.
 */

const STRANGER = 'https://app.example.com';
type Headers = Readonly<Record<string, string>>;

const SCOPES = ['contacts:read', 'contacts:write', 'leads:read'];

describe('BuildWorkPro: API keys in use', () => {
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
  const install = async () => {
    const user = await createUser(gatehouse, [[tenant, 'manager']]);
    const client = await registerClient(gatehouse, { client_name: 'Marketplace app' });
    const parameters = { scope: 'contacts:read' };
    const { access_token: token } = await getTokens(gatehouse, { client, user, parameters });
    return { client, token, bearer: { Authorization: `Bearer ${token}` } };
  };

  describe('good practice', () => {
    it('replacing one: create, deploy, and only then revoke the old one', async () => {
      const [old, young] = [await issue({ name: 'Sync' }), await issue({ name: 'Sync, Q2' })];
      for (const by of [old, young]) await send('get', '/contacts', by).expect(200);

      await desk.revoke(old.id, { confirm: 'Sync' }).expect(204);
      expectProblem(await send('get', '/contacts', old), 401, 'unauthorized');
      await send('get', '/contacts', young).expect(200);
    });

    it('one for each integration: revoking one leaves the others alone', async () => {
      const [zapier, reports] = [await issue({ name: 'Zapier' }), await issue({ name: 'Reports' })];
      await desk.revoke(zapier.id).expect(204);

      expectProblem(await send('get', '/contacts', zapier), 401, 'unauthorized');
      await send('get', '/contacts', reports).expect(200);
    });

    it('never in client-side code: an app there gets a token, without any secret', async () => {
      const page = createForeignPage(gatehouse, STRANGER);
      const { client, bearer } = await install();

      expect(client).not.toHaveProperty('client_secret');
      const who = { headers: bearer };
      expect((await page.fetch('/api/v1/oauth/userinfo', who))?.status).toBe(200);
    });

    it('the smallest set of scopes: reading does not delete', async () => {
      const report = await issue({ scopes: ['contacts:read'] });
      const { body } = await send('post', '/contacts', key, { body: { type: 'other' } });

      const path = `/contacts/${body.data.id}`;
      expectProblem(await send('delete', path, report), 403, 'scope_insufficient');
      await send('get', path, report).expect(200);
    });

    it('a leaked one is ended at once, by its holder if need be', async () => {
      const leaked = await issue();
      const answer = await post(gatehouse, 'revoke', { token: leaked.secret });

      expect(answer.status).toBe(200);
      expectProblem(await send('get', '/contacts', leaked), 401, 'unauthorized');
      expect(await desk.show(leaked.id)).toMatchObject({ status: 'revoked' });
    });
  });

  describe('revoking one', () => {
    // Sentences 1 and 2.
    it('takes effect on the next request', async () => {
      const { id, ...revoked } = await issue();
      await send('get', '/contacts', revoked).expect(200);
      await desk.revoke(id, { confirm: 'A key' }).expect(204);

      for (const path of ['/me', '/contacts', '/products']) {
        expectProblem(await send('get', path, revoked), 401, 'unauthorized');
      }
    });

    it('fails a request that is under way, too', async () => {
      const revoked = await issue();
      const sent = await openRequest(gatehouse, revoked);
      await desk.revoke(revoked.id, { confirm: 'A key' }).expect(204);

      expect(await finishRequest(sent)).toBe(401);
    });

    // Sentence 3.
    it('is permanent: another one is created', async () => {
      const { id, ...revoked } = await issue();
      await desk.revoke(id).expect(204);

      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      expectProblem(await desk.change(id, { expiresAt }), 409, 'conflict');
      const successor = send('post', `/api-keys/${id}/rotate`, await gatehouse.createKey(tenant));
      expectProblem(await successor, 409, 'conflict');
      expectProblem(await send('get', '/contacts', revoked), 401, 'unauthorized');
      await send('get', '/contacts', await issue()).expect(200);
    });
  });

  describe('browsers', () => {
    const page = () => createForeignPage(gatehouse, STRANGER);

    // Sentences 1 and 2.
    it('a preflight from elsewhere gets nothing, so that no request follows', async () => {
      for (const { path } of gatehouse.app.apiRoutes) {
        const answer = await gatehouse.http.options(`/api/v1${path.replace(':id', '1')}`).set({
          Origin: STRANGER,
          'Access-Control-Request-Method': 'GET',
          'Access-Control-Request-Headers': 'authorization',
        });
        // A publishable key may be read with: but then nothing else may be sent.
        const isPublic = path.startsWith('/products');
        const allowed = answer.headers['access-control-allow-headers'];
        expect([path, allowed]).toEqual([path, isPublic ? 'X-API-Key' : undefined]);
        const headers = key.bearer;
        expect(
          await page().fetch(`/api/v1${path.replace(':id', '1')}`, { headers }),
        ).toBeUndefined();
      }
      const body = { type: 'customer' };
      const create = { method: 'POST', headers: key.bearer, body } as const;
      expect(await page().fetch('/api/v1/contacts', create)).toBeUndefined();
    });

    // The first reason: what leaks has all of the tenant until it is replaced. So it can be, in one step.
    it('a leaked key reaches the whole tenant until it is rotated', async () => {
      const leaked = await issue();
      await send('get', '/contacts', leaked).expect(200);
      const successor = await desk.rotate(leaked.id);

      expectProblem(await send('get', '/contacts', leaked), 401, 'unauthorized');
      await send('get', '/contacts', successor).expect(200);
    });

    // The second reason.
    it('a token is for one user, and ends by itself without ending another', async () => {
      const [first, second] = [await install(), await install()];
      expect(first.token).toMatch(/^bwp_at_/);
      const { client_id } = first.client;
      await post(gatehouse, 'revoke', { token: first.token, client_id });

      expectProblem(await send('get', '/contacts', first), 401, 'unauthorized');
      await send('get', '/contacts', second).expect(200);
    });

    it('OAuth is open to pages of all origins: register, token, revoke, userinfo', async () => {
      const metadata = {
        client_name: 'In a browser',
        redirect_uris: ['https://app.example.com/cb'],
      };
      const register = { method: 'POST', body: metadata } as const;
      const registered = await page().fetch('/api/v1/oauth/register', register);
      expect(registered?.status).toBe(201);
      const { client, token, bearer } = await install();
      const headers = { Origin: STRANGER };
      const { client_id } = client;
      const grant = { grant_type: 'refresh_token', refresh_token: 'x', client_id };
      for (const answer of [
        await post(gatehouse, 'token', grant, headers),
        await post(gatehouse, 'revoke', { token, client_id }, headers),
      ]) {
        expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*');
      }
      const who = { headers: bearer };
      expect((await page().fetch('/api/v1/oauth/userinfo', who))?.status).toBe(401);
    });

    // The last paragraph.
    it('a page of the same origin needs none of that', async () => {
      const headers = { Origin: gatehouse.config.ISSUER, 'Sec-Fetch-Site': 'same-origin' };

      const answer = await send('get', '/contacts', key, { headers });
      expect(answer.status).toBe(200);
    });
  });
});
