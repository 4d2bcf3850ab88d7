import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const BASE = { name: 'Sync', scopes: ['contacts:read'] };

describe('POST /api/v1/api-keys', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant, { name: 'Admin' });
  });

  const post = (body: object, key = admin) =>
    gatehouse.http.post('/api/v1/api-keys').set(key.bearer).send(body);

  describe('201', () => {
    it('creates a live secret key by default, without expiry or allow-list', async () => {
      const answer = await post(BASE);

      expect(answer.status).toBe(201);
      const { key } = answer.body.data;
      expect(key).toMatch(/^bwp_live_[0-9A-Za-z]{49}$/);
      expect(answer.body).toEqual({
        data: {
          id: expect.stringMatching(/^key_[0-9A-HJKMNP-TV-Z]{26}$/),
          name: 'Sync',
          kind: 'secret',
          environment: 'live',
          scopes: ['contacts:read'],
          allowedIps: null,
          expiresAt: null,
          rateLimitPerMinute: null,
          spaces: null,
          bindings: null,
          status: 'active',
          maskedKey: `bwp_live_…${key.slice(-4)}`,
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
          createdBy: admin.id,
          lastUsedAt: null,
          lastUsedIp: null,
          replaces: null,
          externalId: null,
          metadata: {},
          key,
        },
        meta: { request_id: answer.headers['x-request-id'] },
      });
    });

    it('creates the requested key, with scopes in the order of the catalogue', async () => {
      const answer = await post({
        name: '  CI  ',
        kind: 'secret',
        environment: 'test',
        scopes: ['leads:read', 'contacts:write', 'leads:read'],
        allowedIps: ['10.0.0.0/8', '2001:db8::1', '10.0.0.0/8'],
        expiresAt: '2090-01-31T12:00:00+02:00',
        rateLimitPerMinute: 120,
        spaces: null,
        bindings: [],
      });

      expect(answer.status).toBe(201);
      expect(answer.body.data).toMatchObject({
        name: 'CI',
        environment: 'test',
        scopes: ['contacts:write', 'leads:read'],
        allowedIps: ['10.0.0.0/8', '2001:db8::1'],
        expiresAt: '2090-01-31T10:00:00.000Z',
        rateLimitPerMinute: 120,
        key: expect.stringMatching(/^bwp_test_/),
      });
    });

    it('accepts names of up to 100 characters', async () => {
      await post({ ...BASE, name: 'x'.repeat(100) }).expect(201);
    });

    it('returns a key that works at once', async () => {
      const made = await post(BASE);

      const answer = await gatehouse.http.get('/api/v1/me').set('X-API-Key', made.body.data.key);

      expect(answer.status).toBe(200);
      expect(answer.body.data).toMatchObject({ keyId: made.body.data.id, tenantId: tenant.id });
    });

    it('shows the secret in this response only, with Cache-Control: no-store', async () => {
      const made = await post(BASE);
      const { id, key } = made.body.data;
      expect(made.headers['cache-control']).toBe('no-store');

      const shown = await gatehouse.http.get(`/api/v1/api-keys/${id}`).set(admin.bearer);
      const listed = await gatehouse.http.get('/api/v1/api-keys?limit=100').set(admin.bearer);

      expect(shown.body.data.id).toBe(id);
      expect(shown.body.data).not.toHaveProperty('key');
      for (const text of [shown.text, listed.text]) {
        expect(text).toContain(id);
        expect(text).not.toContain(key);
        expect(text).not.toContain(key.slice(9, -6));
      }
    });

    it('never returns the same secret twice', async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, () => post(BASE)));

      expect(new Set(answers.map(({ body }) => body.data.key)).size).toBe(5);
    });
  });

  describe('422', () => {
    const refused: readonly [string, string, unknown][] = [
      ['a name of the wrong type', 'name', 5],
      ['an empty name', 'name', ''],
      ['a blank name', 'name', ' \t '],
      ['a name of 101 characters', 'name', 'x'.repeat(101)],
      ['NUL in a name', 'name', 'a\0b'],
      ['a lone surrogate in a name', 'name', 'a\ud800b'],
      ['a kind that its own account makes', 'kind', 'personal'],
      ['a kind that its own account makes, by its prefix', 'kind', 'pat'],
      ['an access token', 'kind', 'access_token'],
      ['a kind that does not exist', 'kind', 'master'],
      ['an unknown environment', 'environment', 'production'],
      ['no scopes', 'scopes', []],
      ['scopes in one text', 'scopes', 'contacts:read'],
      ['text that is not an address', 'allowedIps.0', ['office']],
      ['an octal address', 'allowedIps.0', ['010.0.0.1']],
      ['a shortened address', 'allowedIps.0', ['10.1']],
      ['an address with a zone', 'allowedIps.0', ['fe80::1%eth0']],
      ['an IPv4 network of 33 bits', 'allowedIps.1', ['10.0.0.0/8', '10.0.0.0/33']],
      ['an IPv6 network of 129 bits', 'allowedIps.0', ['::1/129']],
      ['a network of two lengths', 'allowedIps.0', ['10.0.0.0/8/8']],
      ['101 addresses', 'allowedIps', Array.from({ length: 101 }, (_, n) => `10.0.0.${n}`)],
      ['text that is not a time', 'expiresAt', 'tomorrow'],
      ['a time without a zone', 'expiresAt', '2090-01-31T12:00:00'],
      ['a time as a number', 'expiresAt', 3786825600],
      ['a time in the past', 'expiresAt', '2020-01-01T00:00:00Z'],
      ['a negative limit', 'rateLimitPerMinute', -1],
      ['a broken limit', 'rateLimitPerMinute', 1.5],
      ['a limit as text', 'rateLimitPerMinute', '60'],
      ['a huge limit', 'rateLimitPerMinute', 1_000_001],
      ['a space that does not exist', 'spaces', ['spc_00000000000000000000000000']],
      ['text that is not the id of a space', 'spaces.0', ['default']],
      ['no addresses, which could be taken for any', 'allowedIps', []],
      ['a time before 1970', 'expiresAt', '1969-12-31T23:59:59Z'],
      ['a time in the year 10000 of UTC', 'expiresAt', '9999-12-31T23:59:59-14:00'],
      ['a time in the year 10000', 'expiresAt', '+010000-01-01T00:00:00Z'],
      ['no spaces, which could be taken for all', 'spaces', []],
      ['bindings of a key that is not an agent', 'bindings', [{ type: 'contacts', id: '1' }]],
      ['an unknown member', 'admin', true],
      ['the id, which the server gives', 'id', 'key_00000000000000000000000000'],
      ['the secret, which the server makes', 'key', 'bwp_live_mine'],
    ];
    it.each(refused)('refuses %s', async (_what, field, value) => {
      const answer = await post({ ...BASE, [field.split('.')[0] ?? '']: value });

      expect(answer.body.code).toBe('validation_failed');
      const fields = (answer.body.errors as { field: string }[]).map((error) => error.field);
      expect(fields.every((named) => named === field || named.startsWith(`${field}.`))).toBe(true);
    });

    it.each(['nonsense:read', 'contacts', 'contacts:*', '*', 'openid', 'profile', 'email'])(
      'refuses the scope %s, which a key cannot carry',
      async (scope) => {
        expectInvalid(await post({ ...BASE, scopes: ['contacts:read', scope] }), ['scopes.1']);
      },
    );

    it('refuses a name that contains a credential, and does not quote it', async () => {
      const { secret } = await gatehouse.createKey(tenant);
      const answer = await post({ ...BASE, name: `the new ${secret}` });
      expectInvalid(answer, ['name']);
      expect(answer.text).not.toContain(secret);
    });

    it('names every invalid member at once, and creates nothing', async () => {
      const count = async () =>
        (await gatehouse.database.query<{ id: string }>('SELECT id FROM credentials')).length;
      const before = await count();

      expectInvalid(await post({ name: '', environment: 'x', more: 1 }), [
        'name',
        'environment',
        'scopes',
        'more',
      ]);
      expect(await count()).toBe(before);
    });

    it.each([[[]], ['"text"'], ['null'], ['7']])(
      'refuses a body that is not an object: %s',
      async (body) => {
        const answer = await gatehouse.http
          .post('/api/v1/api-keys')
          .set({ ...admin.bearer, 'Content-Type': 'application/json' })
          .send(typeof body === 'string' ? body : JSON.stringify(body));

        expectProblem(answer, 422, 'validation_failed');
      },
    );
  });

  describe('403', () => {
    it('needs api_keys:manage', async () => {
      const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });

      expectProblem(await post(BASE, key), 403, 'scope_insufficient');
    });
  });
});
