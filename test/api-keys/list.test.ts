import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('filters of GET /api/v1/api-keys', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  const keys = new Map<string, TestKey>();
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant, { name: 'Admin' });
    const make = async (name: string, fields: object) =>
      keys.set(
        name,
        await gatehouse.createKey(tenant, { name, scopes: ['leads:read'], ...fields }),
      );
    await make('Nightly export', {});
    await make('EXPORT of 100%_\\ Müller', { environment: 'test' });
    await make('Site', { kind: 'publishable', scopes: ['products:read'] });
    await make('Gone', {});
    await make('Over', { expiresAt: new Date(Date.now() + 60_000).toISOString() });
    const { database } = gatehouse;
    await gatehouse.http
      .delete(`/api/v1/api-keys/${idOf('Gone')}`)
      .set(admin.bearer)
      .expect(204);
    const past = `gatehouse_now() - interval '1 minute'`;
    await database.query(`UPDATE credentials SET expires_at = ${past} WHERE name = 'Over'`);
  });

  const idOf = (name: string) => keys.get(name)?.id ?? '';
  const get = (query: string, by = admin) =>
    gatehouse.http.get(`/api/v1/api-keys?${query}`).set(by.bearer);
  const names = async (query: string, by = admin) => {
    const { body } = await get(query, by).expect(200);
    return (body.data as { name: string }[]).map(({ name }) => name);
  };
  const searching = (text: string) => names(new URLSearchParams({ search: text }).toString());

  it('status selects active, revoked and expired keys', async () => {
    expect(await names('status=active')).toEqual([
      'Site',
      'EXPORT of 100%_\\ Müller',
      'Nightly export',
      'Admin',
    ]);
    expect(await names('status=revoked')).toEqual(['Gone']);
    expect(await names('status=expired')).toEqual(['Over']);
  });

  it('kind and environment combine with the others', async () => {
    expect(await names('kind=publishable')).toEqual(['Site']);
    expect(await names('kind=secret&environment=test')).toEqual(['EXPORT of 100%_\\ Müller']);
    expect(await names('kind=secret&status=expired&environment=live')).toEqual(['Over']);
    expect(await names('kind=personal')).toEqual([]);
  });

  it('search finds names in any case, whole ids, and the last four characters', async () => {
    expect(await searching('export')).toEqual(['EXPORT of 100%_\\ Müller', 'Nightly export']);
    expect(await searching('MÜLLER')).toEqual(['EXPORT of 100%_\\ Müller']);
    expect(await searching('%_\\')).toEqual(['EXPORT of 100%_\\ Müller']);
    expect(await searching('_')).toEqual(['EXPORT of 100%_\\ Müller']);
    expect(await searching(idOf('Site'))).toEqual(['Site']);
    expect(await searching(keys.get('Nightly export')?.secret.slice(-4) ?? '')).toEqual([
      'Nightly export',
    ]);
    expect(await searching("' OR true --")).toEqual([]);
    expect(await searching('key_')).toEqual([]);
  });

  it('unusedDays selects keys that were neither used nor created within that number of days', async () => {
    expect(await names('unusedDays=1')).toEqual([]);
    const age = (name: string, days: number) =>
      gatehouse.database.query(
        `UPDATE credentials SET created_at = gatehouse_now() - make_interval(days => $1) WHERE name = $2`,
        [days, name],
      );
    await age('Site', 40);
    await age('Nightly export', 40);
    expect(await names('unusedDays=30')).toEqual(['Site', 'Nightly export']);
    expect(await names('unusedDays=41')).toEqual([]);

    await gatehouse.http
      .get('/api/v1/me')
      .set(keys.get('Site')?.bearer ?? {})
      .expect(200);
    await gatehouse.app.activity.flush();
    expect(await names('unusedDays=30')).toEqual(['Nightly export']);
  });

  it.each([
    ['status=on', 'status', 'invalid_enum', 'must be one of active, revoked, expired'],
    ['status=revokd', 'status', 'invalid_enum', 'did you mean revoked?'],
    ['status=', 'status', 'invalid_enum', 'must be one of active, revoked, expired'],
    ['kind=publishible', 'kind', 'invalid_enum', 'did you mean publishable?'],
    ['environment=Test', 'environment', 'invalid_enum', 'did you mean test?'],
    ['search=', 'search', 'too_short', 'at least 1 character'],
    [`search=${'x'.repeat(101)}`, 'search', 'too_long', 'at most 100 characters'],
    ['search=a%00b', 'search', 'invalid_format', 'control characters'],
    ['unusedDays=0', 'unusedDays', 'too_small', 'at least 1'],
    ['unusedDays=-1', 'unusedDays', 'invalid_format', 'whole number of days'],
    ['unusedDays=36501', 'unusedDays', 'too_big', 'at most 36500'],
    ['unusedDays=9999999999', 'unusedDays', 'invalid_format', 'whole number of days'],
    ['status=active&status=active', 'status', 'repeated_member', 'more than once'],
    ['stauts=active', 'stauts', 'unknown_member', 'did you mean status?'],
  ])('%s is refused', async (query, field, code, message) => {
    const answer = await get(query);

    expectInvalid(answer, [field]);
    expect(answer.body.errors).toHaveLength(1);
    expect(answer.body.errors[0].code).toBe(code);
    expect(answer.body.errors[0].message).toContain(message);
  });

  it('are bound to their cursor', async () => {
    const { body } = await get('status=active&limit=1').expect(200);
    const { cursor } = body.meta.pagination;

    expect(await names(`status=active&limit=2&cursor=${cursor}`)).toHaveLength(2);
    for (const query of ['', 'status=expired&', 'status=active&search=x&']) {
      expectProblem(await get(`${query}cursor=${cursor}`), 400, 'bad_request');
    }
  });

  it('show a restricted key the keys of its spaces only', async () => {
    const space = await createSpace(gatehouse, tenant, 'Yard');
    const fields = { scopes: ['api_keys:manage'], spaces: [space] };
    const confined = await gatehouse.createKey(tenant, { ...fields, name: 'Confined' });

    expect(await names('', confined)).toEqual(['Confined']);
    expect(await names('search=export', confined)).toEqual([]);
  });
});

describe('a page of GET /api/v1/api-keys', () => {
  const gatehouse = useGatehouse();

  it('shows each key with the members of the answer for one key, in their order, whatever its members hold', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const admin = await gatehouse.createKey(tenant, { name: 'Admin' });
    const space = await createSpace(gatehouse, tenant, 'North');
    const full = {
      allowedIps: ['192.0.2.0/24', '2001:db8::1'],
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      rateLimitPerMinute: 7,
      spaces: [space],
      externalId: 'crm "7" \\ x',
      metadata: { plan: 'pro "x" \\ …', nested: { list: [1, 1e21, -0.5, null, '\n\u001f🙂'] } },
    };
    const scopes = ['leads:read', 'contacts:read'];
    const used = await gatehouse.createKey(tenant, { name: 'Straße "7" \\ 🙂 …', scopes });
    const made = [
      admin,
      used,
      await gatehouse.createKey(tenant, { name: 'Full', scopes, ...full }),
      await gatehouse.createKey(tenant, {
        name: 'Agent',
        kind: 'agent',
        scopes,
        bindings: [{ type: 'contacts', id: '7' }],
      }),
      await gatehouse.createKey(tenant, {
        name: 'Site',
        kind: 'publishable',
        environment: 'test',
        scopes: ['products:read'],
      }),
      await gatehouse.createKey(tenant, { name: 'Over', scopes, expiresAt: full.expiresAt }),
      await gatehouse.createKey(tenant, { name: 'Gone', scopes }),
    ];
    const send = (path: string) => gatehouse.http.get(`/api/v1/${path}`).set(admin.bearer);
    await gatehouse.http.get('/api/v1/me').set(used.bearer).expect(200);
    await gatehouse.http
      .post(`/api/v1/api-keys/${used.id}/rotate`)
      .set(admin.bearer)
      .send({ graceSeconds: 60 })
      .expect(201);
    await gatehouse.http
      .delete(`/api/v1/api-keys/${made.at(-1)?.id}`)
      .set(admin.bearer)
      .expect(204);
    await gatehouse.app.activity.flush();
    await gatehouse.database.query(
      `UPDATE credentials SET expires_at = '1999-12-31 23:59:59.999999+00', created_at = '1970-01-01 00:00:00.0005+00' WHERE name = 'Over'`,
    );
    const expectSame = async (limit: number) => {
      const { body } = await send(`api-keys?limit=${limit}`).expect(200);
      expect(body.data).toHaveLength(8);
      for (const key of body.data as { id: string }[]) {
        const one = await send(`api-keys/${key.id}`).expect(200);
        expect(JSON.stringify(key)).toBe(JSON.stringify(one.body.data));
      }
      return (body.data as { status: string }[]).map(({ status }) => status);
    };
    const statuses = [
      'active',
      'revoked',
      'expired',
      'active',
      'active',
      'active',
      'active',
      'active',
    ];
    expect(await expectSame(25)).toEqual(statuses);

    // Such a text could be taken for the end of a value.
    await gatehouse.database.query(
      `UPDATE credentials SET name = E'a\\x1fb\\x1e' WHERE name = 'Full'`,
    );
    expect(await expectSame(26)).toEqual(statuses);
  });
});

describe('the pages of GET /api/v1/api-keys', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  let test: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    for (const { id } of [tenant, await gatehouse.createTenant('others')]) {
      await gatehouse.database.query(FILL, [id]);
    }
    admin = await gatehouse.createKey(tenant, { name: 'Admin' });
    test = await gatehouse.createKey(tenant, { name: 'Test', environment: 'test' });
  });

  const KINDS = `{secret,publishable,service,agent,organization,personal}`;
  const PRINCIPALS = `{tenant,publishable,service,agent,tenant,user}`;
  /** 198 keys of a tenant and personal tokens between them, of both environments. */
  const FILL = `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id,
      digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
    SELECT 'key_' || $1 || n, $1, ('${KINDS}'::text[])[n % 6 + 1],
      CASE WHEN n / 6 % 3 = 0 THEN 'test' ELSE 'live' END, 'Key ' || n, '{}', ('${PRINCIPALS}'::text[])[n % 6 + 1], $1,
      $1 || n, 'none', 'x', ARRAY[$1], nextval('issue_order'), 'test'
    FROM generate_series(0, 236) n`;

  const expected = async (condition: string) => {
    const rows = await gatehouse.database.query<{ id: string }>(
      `SELECT id FROM credentials WHERE tenant_id = $1 AND kind <> 'personal' AND ${condition}
       ORDER BY issue_seq DESC`,
      [tenant.id],
    );
    return rows.map(({ id }) => id);
  };
  const walk = async (by: TestKey, query: string, limit: number) => {
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const onward: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const path = `/api/v1/api-keys?${query}limit=${limit}${onward}`;
      const { body } = await gatehouse.http.get(path).set(by.bearer).expect(200);
      const { pagination } = body.meta;
      found.push(...(body.data as { id: string }[]).map(({ id }) => id));
      expect(pagination.count).toBe(body.data.length);
      expect(pagination.has_more).toBe(pagination.cursor !== null);
      if (pagination.has_more) expect(body.data).toHaveLength(limit);
      cursor = pagination.cursor;
    }
    return found;
  };

  it.each([
    ['all of them', () => admin, '', 'true', 200],
    ['the test ones to a test key', () => test, '', `environment = 'test'`, 69],
    ['the test ones', () => admin, 'environment=test&', `environment = 'test'`, 69],
    ['one kind', () => admin, 'kind=service&', `kind = 'service'`, 40],
    ['active ones', () => admin, 'status=active&', 'true', 200],
  ] as const)('have %s once, newest first', async (_what, by, query, condition, count) => {
    const all = await expected(condition);
    expect(all).toHaveLength(count);
    // Pages that end with the list, and others.
    for (const limit of [1, 7, 25, 99, 100]) {
      expect(await walk(by(), query, limit)).toEqual(all);
    }
  });

  it('are one page without a cursor if there is nothing', async () => {
    for (const query of ['kind=personal', 'environment=live']) {
      const { body } = await gatehouse.http
        .get(`/api/v1/api-keys?${query}`)
        .set(test.bearer)
        .expect(200);
      expect(body.data).toEqual([]);
      expect(body.meta.pagination).toEqual({ cursor: null, has_more: false, count: 0 });
    }
  });
});
