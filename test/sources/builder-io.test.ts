import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createForeignPage } from '../support/browser/foreign-page.js';
import { createKeyDesk, type KeyDesk } from '../support/app/key-desk.js';
import { post } from '../support/oauth/oauth.js';
import { createProducts } from '../support/app/products.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * Builder.io's page on API keys, from its top to the keys of an organization; personal access tokens and the choice
 * between the three are in builder-io-tokens.test.ts.
 *
 * Its words and ours: a space is a space of a tenant, its public key a publishable key that is confined to it, its
 * private key a secret key that is confined to it; the organization is the tenant, its private key an `organization`
 * key. Public content is `/products`, private content `/contacts`.
 *
 * Deliberately different: a key says what it is by how it begins, so it is not letters and digits alone; a private
 * key acts in the tenant's default space unless the request names another in `X-Bwp-Space`; what a private key may do
 * is in its scopes; the key of an organization creates spaces and keys, and reaches no content itself.
 *
 * Not about credentials: its shortcuts, videos, examples in frameworks and links.
 */

type Headers = Readonly<Record<string, string>>;

const PUBLIC = { kind: 'publishable', scopes: ['products:read'] };
const PRIVATE = ['contacts:read', 'contacts:write', 'products:read'];

describe('Builder.io: public and private keys', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let desk: KeyDesk;
  let home: string;
  let second: string;
  let publicKey: TestKey;
  let privateKey: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    desk = createKeyDesk(gatehouse, await gatehouse.createKey(tenant));
    home = await defaultSpaceOf(gatehouse, tenant);
    second = await createSpace(gatehouse, tenant, 'Second site');
    await createProducts(gatehouse, tenant, [{ name: 'Gravel', sku: 'GRA-1' }]);
    await createProducts(gatehouse, tenant, [{ name: 'Sand', sku: 'SAN-1' }], { spaceId: second });
    publicKey = await desk.issue({ ...PUBLIC, spaces: [home] });
    privateKey = await desk.issue({ scopes: PRIVATE, spaces: [home] });
  });

  const get = (path: string, headers: Headers) => gatehouse.http.get(`/api/v1${path}`).set(headers);
  const withKey = ({ secret }: TestKey) => ({ 'X-API-Key': secret });
  const create = ({ bearer }: Pick<TestKey, 'bearer'>, headers: Headers = {}) =>
    gatehouse.http
      .post('/api/v1/contacts')
      .set({ ...bearer, ...headers })
      .send({ type: 'customer' });
  const page = () => createForeignPage(gatehouse, 'https://shop.example');

  // The list at the top: the third is in the other file.
  it('a public key is for clients, a private key for servers', async () => {
    const types = [await get('/me', withKey(publicKey)), await get('/me', privateKey.bearer)];

    expect(types.map(({ body }) => body.data.type)).toEqual(['publishable_key', 'api_key']);
  });

  describe('the public key', () => {
    // "API key", sentences 1 to 3.
    it('is a string that connects what one writes with its content', async () => {
      expect(publicKey.secret).toMatch(/^[0-9A-Za-z_]+$/);
      const { body } = await get('/products', withKey(publicKey)).expect(200);
      expect(body.data).toMatchObject([{ sku: 'GRA-1' }]);
    });

    // The tip: who finds it can read what is public, and neither more nor for the last time.
    it('may be seen by everybody', async () => {
      for (const scope of ['contacts:read', 'products:write', 'contacts:write']) {
        const asked = { name: 'Wide', kind: 'publishable', scopes: ['products:read', scope] };
        expectInvalid(await desk.ask(asked), ['scopes']);
      }
      expectProblem(await get('/contacts', withKey(publicKey)), 403, 'forbidden');
      expectProblem(await create(publicKey), 403, 'forbidden');
      expect((await post(gatehouse, 'revoke', { token: publicKey.secret })).status).toBe(200);
      await get('/products', withKey(publicKey)).expect(200);
    });

    // Both ways to find it.
    it('is found at any time: in a list, and in its own entry', async () => {
      const { id, secret: key } = publicKey;

      expect(await desk.list('?kind=publishable')).toContainEqual(
        expect.objectContaining({ id, key }),
      );
      expect((await desk.show(id)).key).toBe(key);
    });

    // Handing it to the SDK, which is code in a browser.
    it('is all that code in a browser needs', async () => {
      const answer = await page().fetch('/api/v1/products', { headers: withKey(publicKey) });
      expect(answer?.body.data).toMatchObject([{ sku: 'GRA-1' }]);
      const simple = await page().fetch(`/api/v1/products?auth_token=${publicKey.secret}`);
      expect(simple?.body.data).toEqual(answer?.body.data);
    });

    it('reads its own space only', async () => {
      const other = await desk.issue({ ...PUBLIC, spaces: [second] });

      const answer = await page().fetch('/api/v1/products', { headers: withKey(other) });
      expect(answer?.body.data).toMatchObject([{ sku: 'SAN-1' }]);
      const elsewhere = { ...withKey(publicKey), 'X-Bwp-Space': second };
      expectProblem(await get('/products', elsewhere), 403, 'forbidden');
    });
  });

  describe('private keys', () => {
    // Sentence 1, both bullets, and the example request.
    it('write content from a server, and fetch what is not public', async () => {
      const written = await fetch(`${gatehouse.origin}/api/v1/contacts`, {
        method: 'POST',
        headers: { ...privateKey.bearer, 'Content-Type': 'application/json' },
        body: JSON.stringify({ type: 'customer', firstName: 'Ada' }),
      });
      expect(written.status).toBe(201);
      const { data } = (await written.json()) as { data: { id: number } };
      const path = `/api/v1/contacts/${data.id}`;
      const change = gatehouse.http.patch(path).set(privateKey.bearer);
      expect((await change.send({ firstName: 'Bob' })).body.data.firstName).toBe('Bob');

      await get(`/contacts/${data.id}`, privateKey.bearer).expect(200);
      expectProblem(await get(`/contacts/${data.id}`, withKey(publicKey)), 403, 'forbidden');
    });

    it('are for their own space', async () => {
      const other = await desk.issue({ scopes: PRIVATE, spaces: [second] });
      const inSecond = { 'X-Bwp-Space': second };

      const { id } = (await create(other, inSecond).expect(201)).body.data;
      expectProblem(await get(`/contacts/${id}`, privateKey.bearer), 404, 'not_found');
      expectProblem(await create(privateKey, inSecond), 403, 'forbidden');
      expectProblem(await create(other), 403, 'forbidden');
    });

    // The tip: its holder writes, so it is of no use in a page, nor in an address.
    it('are kept secret: no client-side call works with one', async () => {
      const { bearer, secret } = privateKey;
      const body = { type: 'customer' };

      const write = { method: 'POST', headers: bearer, body } as const;
      expect(await page().fetch('/api/v1/contacts', write)).toBeUndefined();
      for (const headers of [bearer, withKey(privateKey)]) {
        expect(await page().fetch('/api/v1/products', { headers })).toBeUndefined();
      }
      expectProblem(await get(`/products?auth_token=${secret}`, {}), 401, 'unauthorized');
    });

    // Steps 1 to 3.
    it('are created and revoked, as many as are needed', async () => {
      const [first, ...others] = [
        await desk.issue({ name: 'Import', scopes: PRIVATE, spaces: [home] }),
        await desk.issue({ name: 'Import', scopes: PRIVATE, spaces: [home] }),
        await desk.issue({ name: 'Export', scopes: PRIVATE, spaces: [home] }),
      ];
      await desk.revoke(first.id).expect(204);

      expectProblem(await create(first), 401, 'unauthorized');
      for (const key of others) expect((await create(key)).status).toBe(201);
      const listed = (await desk.list('?kind=secret&limit=100')).map(({ id }) => id);
      expect(listed).toEqual(expect.arrayContaining([first, ...others].map(({ id }) => id)));
    });
  });

  describe('a private key of the organization', () => {
    it('creates spaces, and keys for them', async () => {
      const scopes = ['api_keys:manage', 'spaces:manage'];
      const organization = await desk.issue({ kind: 'organization', scopes });
      const office = createKeyDesk(gatehouse, organization);

      const created = await gatehouse.http
        .post('/api/v1/spaces')
        .set(organization.bearer)
        .send({ name: 'Third site' })
        .expect(201);
      const space: string = created.body.data.id;
      const key = await office.issue({ scopes: PRIVATE, spaces: [space] });
      expect((await create(key, { 'X-Bwp-Space': space })).status).toBe(201);
      expect((await office.issue({ ...PUBLIC, spaces: [space] })).secret).toMatch(/^bwp_pk_live_/);
      await office.revoke(key.id, { confirm: 'A key' }).expect(204);
      expectProblem(await create(key, { 'X-Bwp-Space': space }), 401, 'unauthorized');
      expectProblem(await create(organization), 403, 'scope_insufficient');
    });
  });
});
