import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DAY = 24 * 3600 * 1000;
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString();

/** Restricted in every respect in which keys can be. */
const CEILING = {
  name: 'Restricted',
  environment: 'test',
  scopes: ['contacts:read', 'leads:read', 'api_keys:manage'],
  allowedIps: ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'],
  expiresAt: inDays(10),
  rateLimitPerMinute: 10_000,
};

const WIDER: readonly (readonly [string, object, string])[] = [
  ['a scope that it lacks', { scopes: ['contacts:read', 'contacts:write'] }, 'contacts:write'],
  ['the live environment', { environment: 'live' }, 'environment'],
  ['any address', { allowedIps: null }, 'addresses'],
  ['another address', { allowedIps: ['127.0.0.1', '192.0.2.1'] }, 'addresses'],
  ['a wider IPv4 network', { allowedIps: ['10.0.0.0/7'] }, 'addresses'],
  ['a wider IPv6 network', { allowedIps: ['2001:db8::/31'] }, 'addresses'],
  ['every address, mapped', { allowedIps: ['::ffff:0:0/96'] }, 'addresses'],
  ['no end', { expiresAt: null }, 'expiry'],
  ['a later end', { expiresAt: inDays(11) }, 'expiry'],
  ['the usual limit', { rateLimitPerMinute: null }, 'rate limit'],
  ['no limit', { rateLimitPerMinute: 0 }, 'rate limit'],
  ['a higher limit', { rateLimitPerMinute: 10_001 }, 'rate limit'],
];
/** The members that `PATCH` can change. */
const ALTERABLE = WIDER.filter(([, fields]) =>
  ['allowedIps', 'expiresAt', 'rateLimitPerMinute'].some((member) => member in fields),
);
/** A live key is not found by a test key. */
const VISIBLE = WIDER.filter(([, fields]) => !('environment' in fields));

describe('a key cannot exceed its own authority', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let restricted: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    restricted = await gatehouse.createKey(tenant, CEILING);
  });

  const post = (path: string, body: object, by = restricted) =>
    gatehouse.http.post(`/api/v1/api-keys${path}`).set(by.bearer).send(body);
  const patch = (id: string, body: object, by = restricted) =>
    gatehouse.http.patch(`/api/v1/api-keys/${id}`).set(by.bearer).send(body);
  /** Every key and every revocation, as they are stored. */
  const stored = async () => [
    await gatehouse.database.query('SELECT * FROM credentials ORDER BY id'),
    await gatehouse.database.query('SELECT * FROM revocations ORDER BY seq'),
  ];
  const operators = (fields: object) => gatehouse.createKey(tenant, { ...CEILING, ...fields });

  describe('POST /api/v1/api-keys', () => {
    it.each(WIDER)('refuses %s', async (_what, fields, named) => {
      const before = await stored();

      const answer = await post('', { ...CEILING, ...fields });

      expectProblem(answer, 403, 'forbidden');
      expect(answer.body.detail).toContain(named);
      expect(await stored()).toEqual(before);
    });

    it('creates a key of equal authority', async () => {
      await post('', CEILING).expect(201);
    });

    it.each([
      { scopes: ['leads:read'] },
      { allowedIps: ['10.20.0.0/16', '2001:db8:1::5', '127.0.0.1'] },
      { allowedIps: ['::ffff:10.1.2.3'] },
      { expiresAt: inDays(9) },
      { rateLimitPerMinute: 1 },
    ])('creates a narrower one: %j', async (fields) => {
      await post('', { ...CEILING, ...fields }).expect(201);
    });

    it('lets a live key create test keys', async () => {
      const live = await operators({ environment: 'live' });

      await post('', CEILING, live).expect(201);
    });

    it('cannot be evaded in two steps', async () => {
      const child = (await post('', CEILING).expect(201)).body.data;
      const by = { ...restricted, bearer: { Authorization: `Bearer ${child.key}` } };

      expectProblem(await post('', { ...CEILING, expiresAt: null }, by), 403, 'forbidden');
      expectProblem(await patch(restricted.id, { expiresAt: null }, by), 403, 'forbidden');
    });
  });

  describe('POST /api/v1/api-keys/:id/rotate', () => {
    it.each(VISIBLE)('refuses a key with %s', async (_what, fields, named) => {
      const wider = await operators(fields);
      const before = await stored();

      const answer = await post(`/${wider.id}/rotate`, {});

      expectProblem(answer, 403, 'forbidden');
      expect(answer.body.detail).toContain(named);
      expect(await stored()).toEqual(before);
    });

    it('rotates a key of equal authority', async () => {
      await post(`/${(await operators({})).id}/rotate`, {}).expect(201);
    });

    it('answers 404 to a test key for a live key', async () => {
      const live = await operators({ environment: 'live' });

      expectProblem(await post(`/${live.id}/rotate`, {}), 404, 'not_found');
    });
  });

  describe('PATCH /api/v1/api-keys/:id', () => {
    it.each(ALTERABLE)('refuses to give a key %s', async (_what, fields, named) => {
      const key = await operators({});
      const before = await stored();

      const answer = await patch(key.id, fields);

      expectProblem(answer, 403, 'forbidden');
      expect(answer.body.detail).toContain(named);
      expect(await stored()).toEqual(before);
    });

    it.each(VISIBLE)('refuses to change a key with %s', async (_what, fields) => {
      const wider = await operators(fields);
      const before = await stored();

      expectProblem(await patch(wider.id, { name: 'Changed' }), 403, 'forbidden');
      expectProblem(await patch(wider.id, CEILING_CHANGE), 403, 'forbidden');
      expect(await stored()).toEqual(before);
    });

    it('answers 404 to a test key for a live key', async () => {
      const live = await operators({ environment: 'live' });

      expectProblem(await patch(live.id, { name: 'Changed' }), 404, 'not_found');
    });

    it('changes a key of equal authority', async () => {
      await patch((await operators({})).id, { ...CEILING_CHANGE, name: 'Changed' }).expect(200);
    });
  });

  describe('restricted to spaces', () => {
    const [name, scopes] = ['Confined', ['contacts:read', 'api_keys:manage']];
    let [one, two, three] = ['', '', ''];
    let confined: TestKey;
    beforeAll(async () => {
      [one, two, three] = [
        await createSpace(gatehouse, tenant, 'One'),
        await createSpace(gatehouse, tenant, 'Two'),
        await createSpace(gatehouse, tenant, 'Three'),
      ];
      confined = await gatehouse.createKey(tenant, { name, scopes, spaces: [one, two] });
    });

    it('creates no key for more spaces, nor for all', async () => {
      for (const spaces of [null, [three], [one, three]]) {
        const answer = await post('', { name, scopes, spaces }, confined);
        expectProblem(answer, 403, 'forbidden');
        expect(answer.body.detail).toContain('spaces');
      }
      expectProblem(await post('', { name, scopes }, confined), 403, 'forbidden');
    });

    it('creates a key for the same spaces, or fewer', async () => {
      for (const spaces of [[one], [two, one], [two, two]]) {
        const answer = await post('', { name, scopes, spaces }, confined);
        expect(answer.body.data.spaces).toEqual([...new Set(spaces)]);
      }
    });

    it('answers 404 for keys with more spaces', async () => {
      for (const spaces of [null, [three], [one, three]]) {
        const { id } = await gatehouse.createKey(tenant, { name, scopes, spaces });
        const before = await stored();

        expectProblem(await post(`/${id}/rotate`, {}, confined), 404, 'not_found');
        expectProblem(await patch(id, { name: 'Mine' }, confined), 404, 'not_found');
        expect(await stored()).toEqual(before);
      }
      const { id } = await gatehouse.createKey(tenant, { name, scopes, spaces: [two] });
      await post(`/${id}/rotate`, {}, confined).expect(201);
    });

    it('refuses spaces of another tenant', async () => {
      const other = await gatehouse.createTenant(`other-${one.toLowerCase()}`);
      const theirs = await createSpace(gatehouse, other, 'Theirs');
      const admin = await gatehouse.createKey(tenant);

      expectInvalid(await post('', { name, scopes, spaces: [one, theirs] }, admin), ['spaces']);
    });
  });

  describe('a rotation of a stronger key', () => {
    it('is refused for each kind', async () => {
      const narrow = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
      for (const [kind, scopes] of [
        ['secret', ['contacts:read']],
        ['publishable', ['products:read']],
        ['service', ['introspect']],
        ['agent', ['leads:read']],
        ['organization', ['api_keys:manage']],
      ]) {
        const { id } = await gatehouse.createKey(tenant, { kind, scopes });
        expectProblem(await post(`/${id}/rotate`, {}, narrow), 403, 'forbidden');
        expectProblem(await patch(id, { name: 'Mine' }, narrow), 403, 'forbidden');
      }
    });
  });

  it('answers 403 with a challenge (RFC 6750 §3.1)', async () => {
    const answer = await post('', { ...CEILING, expiresAt: null });

    expect(answer.headers['www-authenticate']).toMatch(/^Bearer .*error="insufficient_scope"/);
    expect(answer.headers['www-authenticate']).toContain('scope="api_keys:manage"');
  });
});

/** The maximum that `restricted` may set. */
const { allowedIps, expiresAt, rateLimitPerMinute } = CEILING;
const CEILING_CHANGE = { allowedIps, expiresAt, rateLimitPerMinute };
