import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Role } from '../../src/scopes/roles.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { csrfOf, newBrowser, signIn } from '../support/browser/console.js';
import { createForeignPage } from '../support/browser/foreign-page.js';
import { createKeyDesk, type ShownKey } from '../support/app/key-desk.js';
import { createUser, type TestUser } from '../support/oauth/oauth.js';
import { createProducts } from '../support/app/products.js';
import { expectProblem } from '../support/app/problems.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * Builder.io's page on API keys, from personal access tokens to its end; public and private keys are in
 * builder-io.test.ts.
 *
 * Its words and ours: `btk-` is `bwp_pat_`; the scopes read and write are `access`; the signed-in user manages
 * their tokens with the browser's session and the proof that a page of ours is calling. That page itself, and clicking
 * through it, has tests in test/console and test/e2e.
 *
 * Deliberately different: write stands for what its owner may do in their role, and goes with it; the space that a
 * request is about is named in `X-Bwp-Space`, unless it is the tenant's default one.
 *
 * Not about credentials: its further reading.
 */

type Headers = Readonly<Record<string, string>>;

const TOKENS = '/api/v1/personal-access-tokens';

describe('Builder.io: personal access tokens', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let second: string;
  let ada: Owner;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    second = await createSpace(gatehouse, tenant, 'Second site');
    await createProducts(gatehouse, tenant, [{ name: 'Gravel', sku: 'GRA-1' }]);
    ada = await signedIn('company_admin');
  });

  interface Answer {
    readonly status: number;
    readonly data: ShownKey & readonly ShownKey[];
  }
  interface Owner {
    readonly user: TestUser;
    call(method: string, path: string, body?: object): Promise<Answer>;
    create(fields?: object): Promise<TestKey & { readonly shown: ShownKey }>;
  }

  /** Somebody who has signed in, and calls from a page of ours. */
  async function signedIn(role: Role): Promise<Owner> {
    const user = await createUser(gatehouse, [[tenant, role]]);
    const browser = newBrowser(gatehouse);
    const csrf = csrfOf(await signIn(browser, user));
    const call = async (method: string, path: string, body?: object) => {
      const answer = await browser.request(path, {
        method,
        headers: { 'X-CSRF-Token': csrf, 'Content-Type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      const { data } = JSON.parse(text || '{}') as Pick<Answer, 'data'>;
      return { status: answer.status, data };
    };
    return {
      user,
      call,
      async create(fields = {}) {
        const made = await call('POST', TOKENS, {
          name: 'Laptop',
          access: 'read',
          ...fields,
        });
        expect(made).toMatchObject({
          status: 201,
          data: { key: expect.any(String) },
        });
        const { id, key: secret = '' } = made.data;
        return {
          id,
          secret,
          bearer: { Authorization: `Bearer ${secret}` },
          shown: made.data,
        };
      },
    };
  }

  type Bearer = Pick<TestKey, 'bearer'>;
  const get = (path: string, { bearer }: Bearer, headers: Headers = {}) =>
    gatehouse.http.get(`/api/v1${path}`).set({ ...bearer, ...headers });
  const create = ({ bearer }: Bearer, headers: Headers = {}) =>
    gatehouse.http
      .post('/api/v1/contacts')
      .set({ ...bearer, ...headers })
      .send({ type: 'customer' });
  const change = (id: number, { bearer }: Bearer) =>
    gatehouse.http.patch(`/api/v1/contacts/${id}`).set(bearer).send({ phone: '5' });
  const remove = (id: number, { bearer }: Bearer) =>
    gatehouse.http.delete(`/api/v1/contacts/${id}`).set(bearer).send();

  describe('their nature', () => {
    // Sentence 1 and its list: in scripts, servers and tools, as the user who made it and no wider.
    it('they speak for the user who made them', async () => {
      const token = await ada.create();

      expect((await get('/me', token).expect(200)).body.data).toMatchObject({
        type: 'personal_access_token',
        keyId: token.id,
        tenantId: tenant.id,
        principal: {
          kind: 'user',
          id: ada.user.id,
        },
      });
    });

    it('they reach no further than that user, and end with them', async () => {
      const viewer = await signedIn('viewer');
      const token = await viewer.create({ access: 'write' });
      await get('/contacts', token).expect(200);
      expectProblem(await create(token), 403, 'scope_insufficient');

      const member = `${viewer.user.id}@${tenant.id}`;
      const cli = createCli(gatehouse.database);
      expect(await cli(['revoke', member, '--reason', 'left', '--yes'])).toMatchObject({ code: 0 });
      expectProblem(await get('/contacts', token), 401, 'unauthorized');
    });

    // Sentence 2.
    it('they can be told by how they begin', async () => {
      expect((await ada.create()).secret).toMatch(/^bwp_pat_[0-9A-Za-z]{49}$/);
    });
  });

  describe('creating one', () => {
    // Steps 1 to 6.
    it('takes a name and read or write, and spaces if you like; the token is in the answer', async () => {
      const [read, write, confined] = [
        await ada.create({ name: 'Nightly check' }),
        await ada.create({ access: 'write' }),
        await ada.create({ spaces: [second] }),
      ];

      expect(read.shown).toMatchObject({ name: 'Nightly check', kind: 'personal', spaces: null });
      expect(read.shown.scopes.filter((scope) => !scope.endsWith(':read'))).toEqual([]);
      expect(write.shown.scopes).toEqual(
        expect.arrayContaining(['contacts:read', 'contacts:write', 'contacts:delete']),
      );
      expect(confined.shown).toMatchObject({ spaces: [second] });
      for (const token of [read, write, confined]) await get('/me', token).expect(200);
      expect((await ada.call('POST', TOKENS, { access: 'read' })).status).toBe(422);
      expect((await ada.call('POST', TOKENS, { name: 'x', access: 'all' })).status).toBe(422);
      expect((await ada.call('POST', TOKENS, { name: 'x' })).status).toBe(422);
    });

    it('needs a session, and is refused to every credential', async () => {
      const token = await ada.create({ access: 'write' });
      const key = await gatehouse.createKey(tenant);
      for (const { bearer } of [token, key]) {
        const asked = gatehouse.http.post(TOKENS).set(bearer);
        expectProblem(await asked.send({ name: 'Mine', access: 'read' }), 403, 'forbidden');
      }
    });

    // The note, sentences 1 and 2.
    it('shows the token that once: a lost one is revoked, and another is created', async () => {
      const lost = await ada.create();
      const listed = await ada.call('GET', `${TOKENS}?limit=100`);
      const shown = await ada.call('GET', `${TOKENS}/${lost.id}`);
      expect(JSON.stringify([listed, shown])).not.toContain(lost.secret);
      expect(shown.data.maskedKey).toMatch(/^bwp_pat_/);

      expect((await ada.call('DELETE', `${TOKENS}/${lost.id}`)).status).toBe(204);
      expectProblem(await get('/me', lost), 401, 'unauthorized');
      await get('/me', await ada.create()).expect(200);
    });
  });

  // The example request.
  it('is sent as a bearer', async () => {
    const { bearer } = await ada.create();
    const answer = await fetch(`${gatehouse.origin}/api/v1/products`, { headers: bearer });

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ data: [{ sku: 'GRA-1' }] });
  });

  describe('its two scopes', () => {
    it('read fetches, and changes nothing', async () => {
      const read = await ada.create({ access: 'read' });
      const { id } = (await create(await ada.create({ access: 'write' })).expect(201)).body.data;

      await get('/contacts', read).expect(200);
      await get(`/contacts/${id}`, read).expect(200);
      for (const answer of [await create(read), await change(id, read), await remove(id, read)]) {
        expectProblem(answer, 403, 'scope_insufficient');
      }
    });

    it('write fetches, creates, updates and deletes', async () => {
      const write = await ada.create({ access: 'write' });
      const { id } = (await create(write).expect(201)).body.data;

      await get(`/contacts/${id}`, write).expect(200);
      expect((await change(id, write).expect(200)).body.data.phone).toBe('5');
      await remove(id, write).expect(204);
      expectProblem(await get(`/contacts/${id}`, write), 404, 'not_found');
    });

    // The sentence about spaces.
    it('either enters the spaces that it was restricted to, and no other', async () => {
      const inSecond = { 'X-Bwp-Space': second };
      const third = { 'X-Bwp-Space': await createSpace(gatehouse, tenant, 'Third site') };
      const write = await ada.create({ access: 'write', spaces: [second] });

      expect((await create(write, inSecond)).status).toBe(201);
      for (const elsewhere of [{}, third]) {
        expectProblem(await create(write, elsewhere), 403, 'forbidden');
        expectProblem(await get('/contacts', write, elsewhere), 403, 'forbidden');
      }
      const read = await ada.create({ spaces: [second] });
      expect((await get('/contacts', read, inSecond).expect(200)).body.data).toHaveLength(1);
    });
  });

  describe('revoking one', () => {
    // Steps 1 to 3, and both sentences below them.
    it('is done in the list, and holds at once; what used it takes a new one', async () => {
      const { id, shown, ...token } = await ada.create({ name: 'CI' });
      await get('/products', token).expect(200);
      const listed = await ada.call('GET', `${TOKENS}?limit=100`);
      expect(listed.data).toContainEqual(expect.objectContaining({ id, name: 'CI' }));

      const revoked = await ada.call('DELETE', `${TOKENS}/${id}`, { confirm: shown.name });
      expect(revoked.status).toBe(204);
      expectProblem(await get('/products', token), 401, 'unauthorized');
      expect((await ada.call('GET', `${TOKENS}/${id}`)).data).toMatchObject({ status: 'revoked' });
      await get('/products', await ada.create({ name: 'CI' })).expect(200);
    });
  });

  describe('choosing among the three', () => {
    const desk = (by: TestKey) => createKeyDesk(gatehouse, by);

    it('public key: it reads, and may be seen in a page', async () => {
      const key = await desk(await ada.create({ access: 'write' })).issue({
        kind: 'publishable',
        scopes: ['products:read'],
      });
      const page = createForeignPage(gatehouse, 'https://shop.example');

      const headers = { 'X-API-Key': key.secret };
      expect((await page.fetch('/api/v1/products', { headers }))?.status).toBe(200);
      expect(await page.fetch('/api/v1/products', { headers: (await ada.create()).bearer })).toBe(
        undefined,
      );
    });

    it('private key: it writes as nobody in particular', async () => {
      const key = await gatehouse.createKey(tenant, { scopes: ['contacts:write'] });

      expect((await create(key)).status).toBe(201);
      const { principal } = (await get('/me', key).expect(200)).body.data;
      expect(principal).toEqual({ kind: 'tenant', id: tenant.id });
    });

    // Also what is said of private keys further up: they are seen and made by administrators only.
    it("personal token: it changes settings too, an administrator's", async () => {
      const token = await ada.create({ access: 'write' });
      const key = await desk(token).issue({ name: 'Backend', scopes: ['contacts:write'] });
      expect((await desk(token).list('?limit=100')).map(({ id }) => id)).toContain(key.id);
      const spaces = gatehouse.http.post('/api/v1/spaces').set(token.bearer);
      await spaces.send({ name: 'Fourth site' }).expect(201);

      for (const role of ['manager', 'member', 'viewer'] as const) {
        const other = await (await signedIn(role)).create({ access: 'write' });
        const asked = { name: 'Backend', scopes: ['contacts:read'] };
        expectProblem(await desk(other).ask(asked), 403, 'scope_insufficient');
        expectProblem(await get('/api-keys', other), 403, 'scope_insufficient');
      }
    });

    it('personal token: each ends by itself, and leaves its owner signed in', async () => {
      const [first, another] = [await ada.create(), await ada.create()];
      expect((await ada.call('DELETE', `${TOKENS}/${first.id}`)).status).toBe(204);

      expectProblem(await get('/me', first), 401, 'unauthorized');
      await get('/me', another).expect(200);
      expect((await ada.call('GET', TOKENS)).status).toBe(200);
    });
  });
});
