import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { createForeignPage, type ForeignPage } from '../support/browser/foreign-page.js';
import { createKeyDesk, type KeyDesk } from '../support/app/key-desk.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { createProducts } from '../support/app/products.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * bkend's page on managing API keys, from its top to its end.
 *
 * Its words and ours: an app's environment is the environment `live` or `test` of a key; `pk_` is
 * `bwp_pk_live_` and `bwp_pk_test_`, `sk_` is `bwp_live_` and `bwp_test_`; the sections of its page are the list
 * of keys, filtered by `kind`.
 *
 * Deliberately different: a new key names its scopes as well as itself, and there are no others than those; a
 * deleted key stays listed, as revoked. A browser's page elsewhere may send a publishable key by itself from any
 * origin, but together with a user's token only from an origin in `CORS_ALLOWED_ORIGINS`.
 *
 * Not about credentials: what the guide is about, where its sidebar and buttons are, its further reading.
 */

type Headers = Readonly<Record<string, string>>;

const APP = 'https://app.example.com';
const READ = { scopes: ['products:read'] };

describe('bkend: managing API keys', () => {
  const gatehouse = useGatehouse({ CORS_ALLOWED_ORIGINS: APP });
  let tenant: Tenant;
  let desk: KeyDesk;
  let app: ForeignPage;
  let stranger: ForeignPage;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    desk = createKeyDesk(gatehouse, await gatehouse.createKey(tenant, { name: 'Administrator' }));
    app = createForeignPage(gatehouse, APP);
    stranger = createForeignPage(gatehouse, 'https://shop.example');
    await createProducts(gatehouse, tenant, [{ name: 'Gravel', sku: 'GRA-1' }]);
  });

  const get = (path: string, headers: Headers) => gatehouse.http.get(`/api/v1${path}`).set(headers);
  const withKey = ({ secret }: TestKey) => ({ 'X-API-Key': secret });
  const publishable = (more: object = {}) => desk.issue({ kind: 'publishable', ...READ, ...more });
  const secret = (more: object = {}) => desk.issue({ scopes: ['contacts:read'], ...more });

  describe('overview', () => {
    // Sentence 1.
    it('calling the API takes a key', async () => {
      expectProblem(await get('/products', {}), 401, 'unauthorized');
      expectProblem(await get('/contacts', {}), 401, 'unauthorized');
      await get('/contacts', (await secret()).bearer).expect(200);
    });

    // Sentence 2.
    it('each environment has keys of its own, which reach nothing of the other', async () => {
      const scopes = ['contacts:read', 'contacts:write'];
      const [live, test] = [
        await secret({ scopes }),
        await secret({ scopes, environment: 'test' }),
      ];
      const { body } = await gatehouse.http
        .post('/api/v1/contacts')
        .set(test.bearer)
        .send({ type: 'customer' })
        .expect(201);

      await get(`/contacts/${body.data.id}`, test.bearer).expect(200);
      expectProblem(await get(`/contacts/${body.data.id}`, live.bearer), 404, 'not_found');
    });

    it('and a manager of the keys of one does not manage those of another', async () => {
      const manager = { environment: 'test', scopes: ['api_keys:manage', 'products:read'] };
      const tester = createKeyDesk(gatehouse, await desk.issue(manager));
      const [live, test] = [await publishable(), await publishable({ environment: 'test' })];

      expect(await tester.show(test.id)).toMatchObject({ environment: 'test' });
      expectProblem(await tester.revoke(live.id), 404, 'not_found');
      expectProblem(await tester.ask({ name: 'Live', ...READ }), 403, 'forbidden');
    });

    // Sentence 3, and the two sections of its page: what each starts with and is for.
    it('publishable keys are for clients, with limited permissions', async () => {
      const key = await publishable();

      expect(key.secret).toMatch(/^bwp_pk_live_/);
      expect((await publishable({ environment: 'test' })).secret).toMatch(/^bwp_pk_test_/);
      expect((await stranger.fetch('/api/v1/products', { headers: withKey(key) }))?.status).toBe(
        200,
      );
      for (const scope of ['contacts:read', 'products:write', 'api_keys:manage']) {
        const asked = { name: 'Wide', kind: 'publishable', scopes: [scope] };
        expectInvalid(await desk.ask(asked), ['scopes']);
      }
      expectProblem(await get('/contacts', withKey(key)), 403, 'forbidden');
    });

    it('secret keys are for servers, with full permissions', async () => {
      const catalogue = (await get('/scopes', {}).expect(200)).body.data;
      const all = catalogue
        .filter(({ apiKeys }: { apiKeys: boolean }) => apiKeys)
        .map(({ name }: { name: string }) => name);
      const key = await secret({ scopes: all });

      expect(key.secret).toMatch(/^bwp_live_/);
      expect((await secret({ environment: 'test' })).secret).toMatch(/^bwp_test_/);
      expect((await get('/me', withKey(key)).expect(200)).body.data.scopes).toEqual(all);
    });
  });

  describe('creating a publishable key', () => {
    // Steps 1 and 2.
    it('takes a name, and the key is in its section of the list', async () => {
      const { id } = await publishable({ name: 'my-app-key' });

      expect(await desk.list('?kind=publishable')).toContainEqual(
        expect.objectContaining({ id, name: 'my-app-key', status: 'active' }),
      );
      expect(await desk.list('?kind=secret&limit=100')).not.toContainEqual(
        expect.objectContaining({ id }),
      );
    });

    // The note below them.
    it('it can be copied from the list at any time', async () => {
      const { id, secret: key } = await publishable();
      await get('/products', { 'X-API-Key': key }).expect(200);

      for (const query of ['?kind=publishable', '?limit=100']) {
        expect(await desk.list(query)).toContainEqual(expect.objectContaining({ id, key }));
      }
      expect((await desk.show(id)).key).toBe(key);
    });
  });

  describe('creating a secret key', () => {
    // Steps 1 to 3.
    it('takes a name, and the full key is in the answer', async () => {
      const key = await secret({ name: 'server-key' });

      expect(key.shown).toMatchObject({ name: 'server-key', key: key.secret });
      await get('/contacts', withKey(key)).expect(200);
    });

    // The danger note, sentences 1 and 2.
    it('that is the one time: later there is a masked version only', async () => {
      const { id, secret: key } = await secret();

      const listed = (await desk.list('?kind=secret')).find((item) => item.id === id);
      for (const shown of [await desk.show(id), listed]) {
        expect(JSON.stringify(shown)).not.toContain(key);
        expect(shown).not.toHaveProperty('key');
        expect(shown?.maskedKey).toMatch(/^bwp_live_/);
      }
    });

    // The danger note, sentence 3.
    it('a lost one is deleted, and another is created', async () => {
      const lost = await secret({ name: 'server-key' });
      await desk.revoke(lost.id).expect(204);
      const another = await secret({ name: 'server-key' });

      expect(another.secret).not.toBe(lost.secret);
      expectProblem(await get('/contacts', lost.bearer), 401, 'unauthorized');
      await get('/contacts', another.bearer).expect(200);
    });

    // The warning: ours is that neither a page of a stranger nor a URL does anything with one.
    it('it is of no use in a client', async () => {
      const key = await secret(READ);

      await get('/products', withKey(key)).expect(200);
      for (const headers of [withKey(key), key.bearer]) {
        expect(await stranger.fetch('/api/v1/products', { headers })).toBeUndefined();
      }
      const url = `/products?auth_token=${key.secret}`;
      expectProblem(await get(url, {}), 401, 'unauthorized');
    });
  });

  describe('using a key', () => {
    // Sentence 1.
    it('the publishable key is sent in X-API-Key', async () => {
      const { body } = await get('/products', withKey(await publishable())).expect(200);

      expect(body.data).toMatchObject([{ sku: 'GRA-1' }]);
    });

    // Sentence 2.
    it('Authorization is added where a user has to be known', async () => {
      const user = await createUser(gatehouse, [[tenant, 'member']]);
      const client = await registerClient(gatehouse);
      const parameters = { scope: 'contacts:read contacts:write' };
      const tokens = await getTokens(gatehouse, { client, user, parameters });
      const key = await publishable({ environment: 'test' });
      const headers = { ...withKey(key), Authorization: `Bearer ${tokens.access_token}` };

      expectProblem(await get('/contacts', withKey(key)), 403, 'forbidden');
      await get('/contacts', headers).expect(200);
      expect((await get('/me', headers)).body.data).toMatchObject({
        userId: user.id,
        environment: 'test',
      });
      const body = { type: 'customer' };
      const created = await app.fetch('/api/v1/contacts', { method: 'POST', headers, body });
      expect(created?.status).toBe(201);
      expect(await stranger.fetch('/api/v1/contacts', { headers })).toBeUndefined();
    });
  });

  describe('viewing the list', () => {
    // Its sentence, and the columns.
    it('shows all keys of an environment, each by its name and masked', async () => {
      const issued = [
        await publishable({ name: 'Site', environment: 'test' }),
        await secret({ name: 'Server', environment: 'test' }),
      ];
      const live = await secret();

      const listed = await desk.list('?environment=test&limit=100');
      for (const { id, shown } of issued) {
        const { name, maskedKey } = shown;
        expect(listed).toContainEqual(expect.objectContaining({ id, name, maskedKey }));
      }
      expect(listed).not.toContainEqual(expect.objectContaining({ id: live.id }));
      expect(new Set(listed.map(({ environment }) => environment))).toEqual(new Set(['test']));
    });
  });

  describe('deleting a key', () => {
    // Steps 1 to 4.
    it('takes its name once it is in use, and ends it at once', async () => {
      const key = await secret({ name: 'server-key' });
      await get('/contacts', withKey(key)).expect(200);

      for (const confirm of [undefined, 'Server-Key', 'another-key']) {
        expectProblem(await desk.revoke(key.id, { confirm }), 409, 'conflict');
        await get('/contacts', withKey(key)).expect(200);
      }
      await desk.revoke(key.id, { confirm: 'server-key' }).expect(204);
      expectProblem(await get('/contacts', withKey(key)), 401, 'unauthorized');
      expect(await desk.show(key.id)).toMatchObject({ status: 'revoked' });
    });

    it('is not done by the command line unless somebody agrees', async () => {
      const key = await publishable();
      const cli = createCli(gatehouse.database);

      expect(await cli(['api-keys', 'revoke', key.id])).toMatchObject({ code: 2, stdout: '' });
      await get('/products', withKey(key)).expect(200);
    });

    // The warning, sentence 1.
    it('fails the calls of every app that uses it', async () => {
      const key = await publishable({ name: 'Shared' });
      const calls = () => [
        get('/products', withKey(key)),
        get('/products', key.bearer),
        get(`/products?auth_token=${key.secret}`, {}),
      ];
      for (const answer of await Promise.all(calls())) expect(answer.status).toBe(200);

      await desk.revoke(key.id, { confirm: 'Shared' }).expect(204);
      for (const answer of await Promise.all(calls())) {
        expectProblem(answer, 401, 'unauthorized');
      }
    });

    // The warning, sentence 2.
    it('can wait until it was replaced: both work meanwhile', async () => {
      const old = await secret({ name: 'server-key' });
      const successor = await desk.rotate(old.id, { graceSeconds: 3600 });

      await get('/contacts', old.bearer).expect(200);
      await get('/contacts', successor.bearer).expect(200);
      await desk.revoke(old.id, { confirm: 'server-key' }).expect(204);
      expectProblem(await get('/contacts', old.bearer), 401, 'unauthorized');
      await get('/contacts', successor.bearer).expect(200);
    });
  });
});
