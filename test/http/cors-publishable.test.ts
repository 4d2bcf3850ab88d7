import { beforeAll, describe, expect, it } from '@jest/globals';

import { KEY_KINDS } from '../../src/credentials/kinds.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { createProducts } from '../support/app/products.js';
import { expectProblem } from '../support/app/problems.js';
import { sendRaw } from '../support/app/raw-http.js';

const LISTED = 'https://app.example.com';
const STRANGER = 'https://shop.example';
const SHOWN = ['/api/v1/products', '/api/v1/products/1'];
const NOTHING = {};
const PREFLIGHT = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': 'X-API-Key',
};
const READABLE = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': expect.stringContaining('Retry-After'),
};

const corsOf = ({ headers }: { headers: object }): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('access-control-')),
  );

describe('CORS for publishable keys', () => {
  const closed = useGatehouse();
  const listing = useGatehouse({ CORS_ALLOWED_ORIGINS: LISTED });
  const acme = useGatehouse({ TOKEN_BRAND: 'acme' });
  let tenant: Tenant;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await closed.createTenant('acme');
    key = await createCredential(closed, tenant, 'publishable', ['products:read']);
    await createProducts(closed, tenant, [{ name: 'Gravel', sku: 'GRA-1' }]);
  });

  const preflight = (path: string, method: string, app = closed, origin = STRANGER) =>
    app.http.options(path).set({
      Origin: origin,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': 'x-api-key',
    });
  const get = (path: string, headers: Record<string, string>, app = closed, origin = STRANGER) =>
    app.http.get(path).set({ Origin: origin, ...headers });
  const keyOf = ({ secret }: TestKey) => ({ 'X-API-Key': secret });

  describe('the preflight', () => {
    it.each(SHOWN)('lets any origin read %s with such a key, and do nothing else', async (path) => {
      for (const app of [closed, listing]) {
        for (const method of ['GET', 'HEAD']) {
          const answer = await preflight(path, method, app);
          expect(answer.status).toBe(204);
          expect(corsOf(answer)).toEqual(PREFLIGHT);
        }
        for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get', 'GET, POST']) {
          expect(corsOf(await preflight(path, method, app))).toEqual(NOTHING);
        }
      }
    });

    it.each([
      '/api/v1/me',
      '/api/v1/scopes',
      '/api/v1/contacts',
      '/api/v1/contacts/1',
      '/api/v1/spaces',
      '/api/v1/api-keys',
      '/api/v1/unknown',
      '/products',
      '/',
    ])('opens nothing that is not public, such as %s', async (path) => {
      expect(corsOf(await preflight(path, 'GET'))).toEqual(NOTHING);
    });

    it('opens exactly the routes whose scopes are all public', async () => {
      const opened: string[] = [];
      for (const { method, path } of closed.app.apiRoutes) {
        const real = `/api/v1${path.replace(/:\w+/g, '1')}`;
        if (corsOf(await preflight(real, method))['access-control-allow-origin'] !== undefined) {
          opened.push(`${method} ${path}`);
        }
      }
      expect(opened).toEqual(['GET /products', 'GET /products/:id']);
    });
  });

  it.each([
    ...SHOWN.flatMap((path) => [
      `${path}/`,
      path.toUpperCase(),
      path.replace('products', 'Products'),
      `/${path}`,
      path.replace('/v1', '/V1'),
      path.replace('/products', '//products'),
      `${path}%2F`,
      path.replace('products', 'product%73'),
    ]),
    '/api/v1/products/1/2',
    '/api/v1/products/1/',
    '/api/v1/products//',
  ])('another spelling gets nothing: %s', async (path) => {
    // Behind the slash is an id, and any text is one.
    if (/^\/api\/v1\/products\/[^/]+$/.test(path)) return;
    expect(corsOf(await preflight(path, 'GET'))).toEqual(NOTHING);
    const answer = await get(path, keyOf(key));
    expect(answer.status).toBe(404);
    expect(corsOf(answer)).toEqual(NOTHING);
  });

  describe('the answer', () => {
    it.each([
      ['X-API-Key', (raw: string) => get('/api/v1/products', { 'X-API-Key': raw })],
      ['?auth_token=', (raw: string) => get(`/api/v1/products?auth_token=${raw}`, {})],
      ['X-Bwp-Api-Token', (raw: string) => get('/api/v1/products', { 'X-Bwp-Api-Token': raw })],
      ['Bearer', (raw: string) => get('/api/v1/products', { Authorization: `Bearer ${raw}` })],
      ['Token', (raw: string) => get('/api/v1/products', { Authorization: `Token ${raw}` })],
    ])('is readable by any origin with such a key by %s', async (_way, send) => {
      const answer = await send(key.secret);
      expect(answer.status).toBe(200);
      expect(answer.body.data).toHaveLength(1);
      expect(corsOf(answer)).toEqual(READABLE);
    });

    it('is readable for a single row, for HEAD, and with a key for test', async () => {
      const { id } = (await get('/api/v1/products', keyOf(key))).body.data[0];
      const one = await get(`/api/v1/products/${id}`, keyOf(key));
      expect([one.status, corsOf(one)]).toEqual([200, READABLE]);
      const head = await closed.http.head('/api/v1/products').set(keyOf(key));
      expect([head.status, corsOf(head)]).toEqual([200, READABLE]);
      const scopes = ['products:read'] as const;
      const test = await createCredential(closed, tenant, 'publishable', scopes, 'test');
      const empty = await get('/api/v1/products', keyOf(test));
      expect([empty.body.data, corsOf(empty)]).toEqual([[], READABLE]);
    });

    it('is readable when it is an error', async () => {
      const lacking = await createCredential(closed, tenant, 'publishable', ['documents:read']);
      const expired = await createCredential(closed, tenant, 'publishable', ['products:read']);
      await closed.database.query(
        `UPDATE credentials SET expires_at = gatehouse_now() - interval '1 s' WHERE id = $1`,
        [expired.id],
      );
      for (const [secret, status, code] of [
        [closed.format.mint('pk_live'), 401, 'unauthorized'],
        [`${key.secret.slice(0, -1)}~`, 401, 'unauthorized'],
        ['bwp_pk_test_', 401, 'unauthorized'],
        [expired.secret, 401, 'token_expired'],
        [lacking.secret, 403, 'scope_insufficient'],
      ] as const) {
        const answer = await get('/api/v1/products', { 'X-API-Key': secret });
        expectProblem(answer, status, code);
        expect(corsOf(answer)).toEqual(READABLE);
      }
      const missing = await get('/api/v1/products/999999', keyOf(key));
      expectProblem(missing, 404, 'not_found');
      expect(corsOf(missing)).toEqual(READABLE);
      await closed.database.lock();
      const away = await get('/api/v1/products', keyOf(key));
      await closed.database.unlock();
      expectProblem(away, 503, 'service_unavailable');
      expect(corsOf(away)).toEqual(READABLE);
    });

    it.each(KEY_KINDS.filter((kind) => kind !== 'publishable'))(
      'is not readable with a %s credential, however it is presented',
      async (kind) => {
        const other = await createCredential(closed, tenant, kind, ['products:read']);
        const path = '/api/v1/products';
        for (const [answer, status] of [
          [await get(path, keyOf(other)), 200],
          [await get(path, other.bearer), 200],
          [await get(`${path}?auth_token=${other.secret}`, {}), 401],
        ] as const) {
          if (kind !== 'organization') expect(answer.status).toBe(status);
          expect(corsOf(answer)).toEqual(NOTHING);
        }
      },
    );

    it('is not readable with a token or with text that resembles such a key', async () => {
      for (const raw of [
        closed.format.mint('at'),
        'bwp_pk_prod_x',
        'bwp_pk_live',
        'BWP_PK_LIVE_x',
        'xbwp_pk_live_x',
        'acme_pk_live_x',
        `bwp_live_bwp_pk_live_x`,
        '',
      ]) {
        const answer = await get('/api/v1/products', { 'X-API-Key': raw });
        expect([answer.status, corsOf(answer)]).toEqual([401, NOTHING]);
      }
      // In a way that is not for keys.
      const proved = await get('/api/v1/products', { Authorization: `DPoP ${key.secret}` });
      expect([proved.status, corsOf(proved)]).toEqual([401, NOTHING]);
    });

    it('is not readable without a credential, nor with a second one beside the key', async () => {
      const path = '/api/v1/products';
      expect(corsOf(await get(path, {}))).toEqual(NOTHING);
      const secret = await closed.createKey(tenant);
      for (const more of [
        secret.bearer,
        key.bearer,
        { Authorization: 'Basic eDp5' },
        { Authorization: 'x' },
        { Authorization: `Bearer ${closed.format.mint('at')}` },
        { 'X-Bwp-Api-Token': key.secret },
      ]) {
        expect(corsOf(await get(path, { ...keyOf(key), ...more }))).toEqual(NOTHING);
        const byUrl = `${path}?auth_token=${key.secret}`;
        expect(corsOf(await get(byUrl, more))).toEqual(NOTHING);
        expect(corsOf(await get(`${path}?auth%5Ftoken=${key.secret}`, more))).toEqual(NOTHING);
      }
      const lines = [key, secret].map((by) => ['X-API-Key', by.secret] as const);
      const twice = await sendRaw(closed.origin, { path, headers: lines });
      expect([twice.status, corsOf(twice)]).toEqual([400, NOTHING]);
    });

    it.each(['/api/v1/me', '/api/v1/contacts', '/api/v1/contacts/1', '/api/v1/scopes'])(
      'of %s is not readable with such a key',
      async (path) => {
        expect(corsOf(await get(path, keyOf(key)))).toEqual(NOTHING);
      },
    );

    it('is not readable with such a key after a request other than a read', async () => {
      for (const method of ['post', 'put', 'patch', 'delete', 'options'] as const) {
        const answer = await closed.http[method]('/api/v1/products').set(keyOf(key));
        expect(corsOf(answer)).toEqual(NOTHING);
      }
    });
  });

  describe('beside CORS_ALLOWED_ORIGINS', () => {
    it('keeps the wider rule of listed origins', async () => {
      const asked = corsOf(await preflight('/api/v1/products', 'POST', listing, LISTED));
      expect(asked).toMatchObject({
        'access-control-allow-origin': LISTED,
        'access-control-allow-methods': expect.stringContaining('DELETE'),
        'access-control-allow-headers': expect.stringContaining('Authorization'),
      });
      const unknown = listing.format.mint('pk_live');
      for (const headers of [{ 'X-API-Key': unknown }, {}]) {
        const answer = await get('/api/v1/products', headers, listing, LISTED);
        expect(answer.status).toBe(401);
        expect(corsOf(answer)['access-control-allow-origin']).toBe(LISTED);
        expect(answer.headers['vary']).toBe('Origin');
      }
    });

    it('tells caches that the answer depends on the origin, for every caller', async () => {
      const headers = { 'X-API-Key': listing.format.mint('pk_live') };
      const answer = await get('/api/v1/products', headers, listing);
      expect(corsOf(answer)).toEqual(READABLE);
      expect(answer.headers['vary']).toBe('Origin');
      expect((await preflight('/api/v1/products', 'GET', listing)).headers['vary']).toBe('Origin');
      // Where none is listed, every origin gets the same.
      expect((await get('/api/v1/products', keyOf(key))).headers).not.toHaveProperty('vary');
    });
  });

  it('knows the brand that keys are made with', async () => {
    const read = async (raw: string) =>
      corsOf(await get('/api/v1/products', { 'X-API-Key': raw }, acme));

    expect(await read(acme.format.mint('pk_live'))).toEqual(READABLE);
    expect(await read(closed.format.mint('pk_live'))).toEqual(NOTHING);
  });
});
