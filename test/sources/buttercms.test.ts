import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createForeignPage } from '../support/browser/foreign-page.js';
import { createKeyDesk, type KeyDesk } from '../support/app/key-desk.js';
import { createProducts } from '../support/app/products.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * ButterCMS's page on authentication, from its top to its end.
 *
 * Its words and ours: the read token is a publishable key, the write token a secret key; content to be fetched by
 * everybody is `/products`, content that is created, updated and deleted is `/contacts`.
 *
 * Deliberately different: a read token used to write is known and not allowed, so it is answered 403 and not 401; an
 * expired one is told so (`token_expired`). There is no PUT, which PATCH stands in for: it is 405 to all.
 *
 * Not about credentials: where the dashboard shows its tabs, the billing of its add-on (a manager of keys makes
 * one), its code examples and environment settings (headlines without a text), its further reading. HTTPS is asked of
 * the issuer in production, see test/config.test.ts; keeping a token in one's own environment is up to its holder.
 */

type Headers = Readonly<Record<string, string>>;

describe('ButterCMS: read and write tokens', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let desk: KeyDesk;
  let reading: TestKey;
  let writing: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    desk = createKeyDesk(gatehouse, await gatehouse.createKey(tenant));
    await createProducts(gatehouse, tenant, [
      { name: 'Gravel', sku: 'GRA-1' },
      { name: 'Sand', sku: 'SAN-1' },
    ]);
    [reading, writing] = [await readToken(), await writeToken()];
  });

  const readToken = (more: object = {}) =>
    desk.issue({ name: 'Read', kind: 'publishable', scopes: ['products:read'], ...more });
  const writeToken = (more: object = {}) =>
    desk.issue({
      name: 'Write',
      scopes: ['products:read', 'contacts:read', 'contacts:write', 'contacts:delete'],
      ...more,
    });
  const token = ({ secret }: TestKey) => ({ Authorization: `Token ${secret}` });
  const inQuery = ({ secret }: TestKey) => `auth_token=${secret}`;
  const get = (path: string, headers: Headers = {}) =>
    gatehouse.http.get(`/api/v1${path}`).set(headers);
  const create = (headers: Headers, query = '') =>
    gatehouse.http
      .post(`/api/v1/contacts${query}`)
      .set(headers)
      .send({ type: 'customer', firstName: 'Ada' });
  /** A contact that is there, for whatever is done to it. */
  const contact = async () =>
    `/contacts/${(await create(token(writing)).expect(201)).body.data.id}`;
  /** Every way to write. */
  const writes = async (headers: Headers, query = '') => {
    const path = `/api/v1${await contact()}${query}`;
    return {
      POST: await create(headers, query),
      PATCH: await gatehouse.http.patch(path).set(headers).send({ firstName: 'Bob' }),
      DELETE: await gatehouse.http.delete(path).set(headers).send(),
    };
  };

  describe('token types', () => {
    // The read token, sentences 1 and 2.
    it('a read token fetches content, also from a page of anybody', async () => {
      const { body } = await get('/products', token(reading)).expect(200);
      const path = `/api/v1/products/${body.data[0].id}?${inQuery(reading)}`;

      const page = createForeignPage(gatehouse, 'https://blog.example');
      expect((await page.fetch(path))?.body.data).toEqual(body.data[0]);
    });

    // The write token, sentence 1.
    it('a write token creates, updates and deletes', async () => {
      const { POST, PATCH, DELETE } = await writes(token(writing));

      expect([POST.status, PATCH.status, DELETE.status]).toEqual([201, 200, 204]);
      expect(PATCH.body.data.firstName).toBe('Bob');
    });

    // The write token, sentence 2, and Don'ts 2 below: no page of another origin gets to use one.
    it('a write token is of no use in client-side code', async () => {
      const page = createForeignPage(gatehouse, 'https://blog.example');
      const headers = token(writing);
      const body = { type: 'customer' };

      expect(
        await page.fetch('/api/v1/contacts', { method: 'POST', headers, body }),
      ).toBeUndefined();
      expect(await page.fetch('/api/v1/products', { headers })).toBeUndefined();
      expect(await page.fetch(`/api/v1/products?${inQuery(writing)}`)).toBeUndefined();
    });
  });

  describe('where tokens are found', () => {
    it('both are in the list: the read token to be copied, the write token masked', async () => {
      const listed = await desk.list('?limit=100');

      const { id, secret: key } = reading;
      expect(listed).toContainEqual(expect.objectContaining({ id, key }));
      const shown = listed.find((item) => item.id === writing.id);
      expect(shown?.maskedKey).toMatch(/^bwp_live_/);
      expect(shown).not.toHaveProperty('key');
    });
  });

  describe('the query parameter', () => {
    it('authenticates every request that reads, beside its other parameters', async () => {
      const list = await get(`/products?limit=1&${inQuery(reading)}`).expect(200);
      const { cursor } = list.body.meta.pagination;
      const next = await get(`/products?${inQuery(reading)}&limit=1&cursor=${cursor}`).expect(200);
      const one = await get(`/products/${next.body.data[0].id}?${inQuery(reading)}`).expect(200);

      expect([list.body.data[0].sku, one.body.data.sku].toSorted()).toEqual(['GRA-1', 'SAN-1']);
      await gatehouse.http.head(`/api/v1/products?${inQuery(reading)}`).expect(200);
    });
  });

  describe('the Authorization header', () => {
    it('authenticates reads and writes, of either token', async () => {
      await get('/products', token(reading)).expect(200);
      await get('/products', token(writing)).expect(200);
      await get(await contact(), token(writing)).expect(200);
      expect((await create(token(writing))).status).toBe(201);
    });

    it('says Token before the token', async () => {
      for (const { secret } of [reading, writing]) {
        for (const value of [
          secret,
          `Token${secret}`,
          `Token=${secret}`,
          `Token token=${secret}`,
        ]) {
          const answer = await get('/products', { Authorization: value });
          expectProblem(answer, 401, 'unauthorized');
        }
      }
    });
  });

  describe('the table of operations', () => {
    it('reading: in the query and in the header', async () => {
      const [byQuery, byHeader] = [
        await get(`/products?${inQuery(reading)}`),
        await get('/products', token(reading)),
      ];

      expect([byQuery.status, byHeader.status]).toEqual([200, 200]);
      expect(byQuery.body.data).toEqual(byHeader.body.data);
    });

    it('writing: not in the query', async () => {
      for (const key of [reading, writing]) {
        const query = `?${inQuery(key)}`;
        for (const answer of Object.values(await writes({}, query))) {
          expectProblem(answer, 401, 'unauthorized');
        }
        expectProblem(
          await gatehouse.http.put(`/api/v1/contacts/1${query}`),
          405,
          'method_not_allowed',
        );
      }
    });

    it('writing: in the header, and there alone', async () => {
      for (const key of [reading, writing]) {
        for (const answer of Object.values(await writes(token(writing), `?${inQuery(key)}`))) {
          expectProblem(answer, 400, 'bad_request');
        }
      }
    });
  });

  describe('authentication errors', () => {
    it('401: neither parameter nor header', async () => {
      for (const answer of [await get('/products'), ...Object.values(await writes({}))]) {
        expectProblem(answer, 401, 'unauthorized');
        expect(answer.headers['www-authenticate']).not.toContain('error=');
      }
    });

    it('401: a token that is wrong', async () => {
      for (const raw of [
        gatehouse.format.mint('pk_live'),
        gatehouse.format.mint('live'),
        'nonsense',
      ]) {
        const wrong = { ...reading, secret: raw };
        for (const answer of [
          await get('/products', token(wrong)),
          await get(`/products?${inQuery(wrong)}`),
          await create(token(wrong)),
        ]) {
          expectProblem(answer, 401, 'unauthorized');
          expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
        }
      }
    });

    it('401: a token that has expired', async () => {
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      const [read, write] = [await readToken({ expiresAt }), await writeToken({ expiresAt })];
      await get(`/products?${inQuery(read)}`).expect(200);
      await gatehouse.database.shiftClock('2 hours');

      const answers = [
        await get('/products', token(read)),
        await get(`/products?${inQuery(read)}`),
        await create(token(write)),
      ];
      await gatehouse.database.shiftClock('0');
      for (const answer of answers) expectProblem(answer, 401, 'token_expired');
    });

    // Its page answers 401, see above.
    it('403: a read token that is used to write', async () => {
      for (const answer of Object.values(await writes(token(reading)))) {
        expectProblem(answer, 403, 'forbidden');
        expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
      }
    });
  });

  describe('best practices', () => {
    // Do's 2 and 3.
    it('the read token opens what is public, and nothing else', async () => {
      const open = gatehouse.app.apiRoutes.map(async ({ method, path, access }) => {
        const name = method.toLowerCase() as 'get';
        const answer = await gatehouse.http[name](`/api/v1${path.replace(':id', '1')}`).set(
          token(reading),
        );
        return access !== 'public' && answer.status !== 403 ? [`${method} ${path}`] : [];
      });

      expect((await Promise.all(open)).flat()).toEqual([
        'GET /me',
        'GET /products',
        'GET /products/:id',
      ]);
    });

    // Do's 5.
    it('a token that may have leaked is rotated, and ends with that', async () => {
      for (const leaked of [await readToken(), await writeToken()]) {
        const successor = await desk.rotate(leaked.id);

        expectProblem(await get('/products', token(leaked)), 401, 'unauthorized');
        await get('/products', token(successor)).expect(200);
      }
    });

    // Don'ts 1 and 3: nobody can take it back, so that it is recognisable, and its finder can end it.
    it('a write token that was published is told by its looks, and ended by its finder', async () => {
      const published = await writeToken();
      expect(published.secret).toMatch(/^bwp_live_[0-9A-Za-z]{49}$/);
      expect(reading.secret).toMatch(/^bwp_pk_live_[0-9A-Za-z]{49}$/);

      await gatehouse.http
        .post('/api/v1/oauth/revoke')
        .type('form')
        .send({ token: published.secret })
        .expect(200);
      expectProblem(await create(token(published)), 401, 'unauthorized');
    });

    // Don'ts 4.
    it('no token is in the log', async () => {
      const own = await writeToken();
      await create(token(own)).expect(201);
      await get(`/contacts?${inQuery(own)}`).expect(401);
      await get(`/products?${inQuery(reading)}`).expect(200);

      const log = gatehouse.logged.join('');
      expect(log).toContain('/api/v1/contacts');
      for (const { secret } of [own, reading, writing]) expect(log).not.toContain(secret);
    });
  });
});
