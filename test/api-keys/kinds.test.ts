import { beforeAll, describe, expect, it } from '@jest/globals';

import { resealUnderCurrentKey } from '../../src/credentials/store/sealed-secret.js';
import { createKeyring } from '../../src/credentials/secrets/keyring.js';
import { PUBLIC_SCOPES } from '../../src/scopes/catalog.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { TEST_SECRET_KEY, type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PREFIXES = [
  ['secret', 'live', 'bwp_live_', 'api_key', 'tenant'],
  ['secret', 'test', 'bwp_test_', 'api_key', 'tenant'],
  ['publishable', 'live', 'bwp_pk_live_', 'publishable_key', 'publishable'],
  ['publishable', 'test', 'bwp_pk_test_', 'publishable_key', 'publishable'],
  ['service', 'live', 'bwp_svc_', 'service', 'service'],
  ['service', 'test', 'bwp_svc_', 'service', 'service'],
  ['agent', 'live', 'bwp_agt_', 'agent', 'agent'],
  ['organization', 'live', 'bwp_org_', 'organization', 'tenant'],
] as const;

const SCOPES = {
  secret: ['contacts:read'],
  publishable: ['products:read'],
  service: ['contacts:read', 'introspect'],
  agent: ['contacts:read', 'contacts:write'],
  organization: ['api_keys:manage', 'spaces:manage'],
};

describe('kinds of keys', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });

  const create = (body: object, by = admin) =>
    gatehouse.http
      .post('/api/v1/api-keys')
      .set(by.bearer)
      .send({ name: 'A key', ...body });
  const made = async (body: object, by = admin) => {
    const answer = await create(body, by);
    expect(answer.status).toBe(201);
    return answer.body.data;
  };
  const show = async (id: string) =>
    (await gatehouse.http.get(`/api/v1/api-keys/${id}`).set(admin.bearer)).body.data;
  const me = (key: string) => gatehouse.http.get('/api/v1/me').set('X-API-Key', key);
  const rotate = (id: string, by = admin) =>
    gatehouse.http.post(`/api/v1/api-keys/${id}/rotate`).set(by.bearer).send({});

  describe.each(PREFIXES)('%s, %s', (kind, environment, prefix, type, principal) => {
    it(`starts with ${prefix} and names its principal`, async () => {
      const scopes = SCOPES[kind];

      const data = await made({ kind, environment, scopes });

      expect(data).toMatchObject({ kind, environment, scopes: expect.arrayContaining(scopes) });
      expect(data.key.slice(0, -49)).toBe(prefix);
      const isMachine = principal === 'service' || principal === 'agent';
      expect((await me(data.key)).body.data).toEqual({
        keyId: data.id,
        keyName: 'A key',
        tenantId: tenant.id,
        scopes: data.scopes,
        type,
        environment,
        principal: { kind: principal, id: isMachine ? data.id : tenant.id },
      });
    });
  });

  describe('publishable keys', () => {
    it('can be read at any time, in the list, by id, after changes and rotations', async () => {
      const { id, key } = await made({ kind: 'publishable', scopes: ['products:read'] });

      expect((await show(id)).key).toBe(key);
      const list = await gatehouse.http
        .get('/api/v1/api-keys?kind=publishable&limit=100')
        .set(admin.bearer);
      expect(list.body.data).toContainEqual(expect.objectContaining({ id, key }));
      const changed = await gatehouse.http
        .patch(`/api/v1/api-keys/${id}`)
        .set(admin.bearer)
        .send({ name: 'Renamed' });
      expect(changed.body.data).toMatchObject({ name: 'Renamed', key });
      const successor = (await rotate(id).expect(201)).body.data;
      expect((await show(successor.id)).key).toBe(successor.key);
    });

    it('are the only readable keys', async () => {
      for (const kind of ['secret', 'service', 'agent', 'organization'] as const) {
        const { id } = await made({ kind, scopes: SCOPES[kind] });
        expect(await show(id)).not.toHaveProperty('key');
      }
    });

    it('carry public scopes only', async () => {
      await create({ kind: 'publishable', scopes: PUBLIC_SCOPES }).expect(201);
      for (const scope of ['contacts:read', 'products:write', 'api_keys:manage']) {
        const scopes = ['products:read', scope];
        expectInvalid(await create({ kind: 'publishable', scopes }), ['scopes']);
      }
    });

    it('stay readable when the secret key that they are encrypted under is retired', async () => {
      const { id, key } = await made({ kind: 'publishable', scopes: ['products:read'] });
      const rotated = createKeyring(['a newer secret key that is only for tests', TEST_SECRET_KEY]);

      await resealUnderCurrentKey(gatehouse.dataSource.manager, rotated);

      const [row] = await gatehouse.database.query<{ keyId: string; ciphertext: Buffer }>(
        `SELECT ciphertext, ciphertext_key_id AS "keyId" FROM credentials WHERE id = $1`,
        [id],
      );
      expect(row?.keyId).toBe(rotated.currentId);
      const alone = createKeyring(['a newer secret key that is only for tests']);
      expect(alone.open(row ?? never(), `credential ${id}`).toString()).toBe(key);
      // Restored for the other tests.
      await resealUnderCurrentKey(
        gatehouse.dataSource.manager,
        createKeyring([TEST_SECRET_KEY, 'a newer secret key that is only for tests']),
      );
      expect((await show(id)).key).toBe(key);
    });

    it('are stored encrypted', async () => {
      const { id, key } = await made({ kind: 'publishable', scopes: ['products:read'] });
      const rows = await gatehouse.database.query('SELECT * FROM credentials WHERE id = $1', [id]);

      expect(JSON.stringify(rows)).not.toContain(key);
      expect(JSON.stringify(rows)).not.toContain(Buffer.from(key).toString('base64'));
    });
  });

  describe('machine credentials', () => {
    it.each(['service', 'agent'] as const)(
      'keep their principal when they are rotated: %s',
      async (kind) => {
        const first = await made({ kind, scopes: SCOPES[kind] });
        const second = (await rotate(first.id).expect(201)).body.data;
        const third = (await rotate(second.id).expect(201)).body.data;

        const { principal, keyId } = (await me(third.key)).body.data;
        expect({ principal, keyId }).toEqual({
          principal: { kind, id: first.id },
          keyId: third.id,
        });
      },
    );

    it('never manage keys, with any scopes', async () => {
      for (const kind of ['service', 'agent']) {
        const { key } = await made({ kind, scopes: ['api_keys:manage', 'spaces:manage'] });
        const bearer = { Authorization: `Bearer ${key}` };
        const body = { name: 'x', scopes: ['leads:read'] };
        const answer = await gatehouse.http.post('/api/v1/api-keys').set(bearer).send(body);
        expectProblem(answer, 403, 'forbidden');
      }
    });
  });

  describe('bindings', () => {
    const BOUND = [
      { type: 'contacts', id: '1' },
      { type: 'projects', id: 'prj-7' },
    ];

    it('are kept, shown and inherited by successors', async () => {
      const { id, bindings } = await made({ kind: 'agent', scopes: SCOPES.agent, bindings: BOUND });
      const successor = (await rotate(id).expect(201)).body.data;

      expect([bindings, (await show(id)).bindings, successor.bindings]).toEqual([
        BOUND,
        BOUND,
        BOUND,
      ]);
    });

    it('are for agents only', async () => {
      for (const kind of ['secret', 'publishable', 'service', 'organization'] as const) {
        const answer = await create({ kind, scopes: SCOPES[kind], bindings: BOUND });
        expectInvalid(answer, ['bindings']);
      }
    });

    it.each([
      [[{ type: 'contacts' }], 'bindings.0.id'],
      [[{ id: '1' }], 'bindings.0.type'],
      [[{ type: 'Contacts', id: '1' }], 'bindings.0.type'],
      [[{ type: 'contacts', id: '' }], 'bindings.0.id'],
      [[{ type: 'contacts', id: 'a\u001fb' }], 'bindings.0.id'],
      [[{ type: 'contacts', id: 1 }], 'bindings.0.id'],
      [[{ type: 'contacts', id: '1', more: true }], 'bindings.0.more'],
      ['contacts:1', 'bindings'],
      [Array.from({ length: 101 }, (_, n) => ({ type: 'contacts', id: `${n}` })), 'bindings'],
    ])('are refused if they are invalid: %j', async (bindings, field) => {
      const answer = await create({ kind: 'agent', scopes: SCOPES.agent, bindings });

      expectInvalid(answer, [field]);
    });
  });

  describe('organization keys', () => {
    it('carry the scopes that manage spaces and keys, and no others', async () => {
      for (const scope of ['contacts:read', 'introspect', 'audit:read', 'jobs:write']) {
        const scopes = ['api_keys:manage', scope];
        expectInvalid(await create({ kind: 'organization', scopes }), ['scopes']);
      }
    });

    it('create keys with any resource scope', async () => {
      const { key } = await made({ kind: 'organization', scopes: SCOPES.organization });
      const org = { ...admin, bearer: { Authorization: `Bearer ${key}` } };

      await made({ scopes: ['contacts:delete', 'documents:write'] }, org);
      expectProblem(
        await gatehouse.http.get('/api/v1/contacts').set(org.bearer),
        403,
        'scope_insufficient',
      );
    });

    it.each(['bids:send', 'users:read', 'introspect', 'api_keys:manage', 'spaces:manage'])(
      'cannot grant %s',
      async (scope) => {
        const { key } = await made({ kind: 'organization', scopes: SCOPES.organization });
        const org = { ...admin, bearer: { Authorization: `Bearer ${key}` } };

        expectProblem(await create({ scopes: ['contacts:read', scope] }, org), 403, 'forbidden');
      },
    );

    it('cannot create others of their kind, but can rotate themselves', async () => {
      const { id, key } = await made({ kind: 'organization', scopes: SCOPES.organization });
      const org = { ...admin, bearer: { Authorization: `Bearer ${key}` } };

      const another = await create({ kind: 'organization', scopes: ['spaces:manage'] }, org);
      expectProblem(another, 403, 'forbidden');
      const successor = (await rotate(id, org).expect(201)).body.data;
      expect(successor).toMatchObject({ kind: 'organization', scopes: SCOPES.organization });
    });

    it('are created only by a manager with all scopes that they can grant', async () => {
      const narrow = await gatehouse.createKey(tenant, { scopes: SCOPES.organization });

      const answer = await create({ kind: 'organization', scopes: SCOPES.organization }, narrow);

      expectProblem(answer, 403, 'forbidden');
      expect(answer.body.detail).toContain('contacts:delete');
      const { id } = await made({ kind: 'organization', scopes: SCOPES.organization });
      expectProblem(await rotate(id, narrow), 403, 'forbidden');
    });
  });

  describe('the list', () => {
    it('is filtered by kind on every page', async () => {
      await made({ kind: 'agent', scopes: SCOPES.agent });
      await made({ kind: 'agent', scopes: SCOPES.agent });

      const first = await gatehouse.http
        .get('/api/v1/api-keys?kind=agent&limit=1')
        .set(admin.bearer);

      const { cursor } = first.body.meta.pagination;
      const next = await gatehouse.http
        .get(`/api/v1/api-keys?kind=agent&limit=1&cursor=${cursor}`)
        .set(admin.bearer);
      expect([...first.body.data, ...next.body.data].map(({ kind }) => kind)).toEqual([
        'agent',
        'agent',
      ]);
      const elsewhere = await gatehouse.http
        .get(`/api/v1/api-keys?kind=service&cursor=${cursor}`)
        .set(admin.bearer);
      expectProblem(elsewhere, 400, 'bad_request');
    });
  });
});

function never(): never {
  throw new Error('no such row');
}
