import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createSpace } from '../support/app/spaces.js';
import { createUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const READER = { name: 'Reader', scopes: ['audit:read'] };

interface Shown {
  readonly id: string;
  readonly action: string;
  readonly createdAt: string;
  readonly object: { readonly id: string };
}

describe('GET /api/v1/audit-log', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let stranger: Tenant;
  let admin: TestKey;
  let reader: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    stranger = await gatehouse.createTenant('other');
    admin = await gatehouse.createKey(tenant, { name: 'Admin' });
    reader = await gatehouse.createKey(tenant, READER);
    await gatehouse.createKey(stranger, { name: 'Foreign' });
  });

  const read = (query = '', by: TestKey = reader) =>
    gatehouse.http.get(`/api/v1/audit-log${query}`).set(by.bearer);
  const entries = async (query = '') => (await read(query)).body.data as Shown[];
  /** Enters rows as they would have been a while ago. */
  const enter = (rows: readonly object[]) =>
    gatehouse.database.query(
      `INSERT INTO audit_log (tenant_id, actor, action, subject, at, address, request_id, occurrences, details)
       SELECT tenant, coalesce(actor, 'operator'), action, coalesce(subject, 'key_x'),
         gatehouse_now() - make_interval(secs => age), address, request, coalesce(occurrences, 1), coalesce(details, '{}')
       FROM jsonb_to_recordset($1::jsonb) AS entry (tenant text, actor text, action text, subject text, age float8,
         address text, request text, occurrences int, details jsonb)`,
      [JSON.stringify(rows)],
    );

  it('shows actor, action, object, address, request id and details with names', async () => {
    const space = await createSpace(gatehouse, tenant, 'East');
    const answer = await gatehouse.http
      .patch(`/api/v1/spaces/${space}`)
      .set(admin.bearer)
      .send({ name: 'West' });

    const shown = await read(`?object=${space}&action=space.rename`);
    expect(shown.status).toBe(200);
    expect(shown.body.meta.pagination).toEqual({ cursor: null, has_more: false, count: 1 });
    expect(shown.body.data).toEqual([
      {
        id: expect.stringMatching(/^evt_[0-9A-HJKMNP-TV-Z]{26}$/),
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        actor: { type: 'api_key', id: admin.id, name: 'Admin' },
        action: 'space.rename',
        object: { type: 'space', id: space, name: 'West' },
        result: 'success',
        address: '127.0.0.1',
        requestId: answer.body.meta.request_id,
        count: 1,
        details: { before: 'East', after: 'West' },
      },
    ]);
    expect(await entries(`?requestId=${answer.body.meta.request_id}`)).toHaveLength(1);
  });

  it('has refused uses with their count and reason', async () => {
    const weak = await gatehouse.createKey(tenant, { name: 'Weak', scopes: ['leads:read'] });
    for (let times = 0; times < 3; times += 1) await read('', weak).expect(403);
    await gatehouse.app.activity.flush();

    const shown = await read(`?object=${weak.id}&result=refused`);
    const count = shown.body.data.reduce(
      (sum: number, entry: { count: number }) => sum + entry.count,
      0,
    );
    expect(count).toBe(3);
    expect(shown.body.data[0]).toMatchObject({
      actor: { type: 'api_key', id: weak.id, name: 'Weak' },
      action: 'credential.refused',
      result: 'refused',
      details: { reason: 'scope_insufficient' },
    });
    expect(
      (await entries(`?object=${weak.id}&result=success`)).map(({ action }) => action),
    ).toEqual(['api_key.create']);
  });

  it('narrows by each filter, and by all of them at once', async () => {
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const common = { tenant: tenant.id, action: 'test.filter' };
    await enter([
      {
        ...common,
        subject: 'a',
        age: 90_000,
        actor: user.id,
        address: '192.0.2.1',
        request: 'req_A',
      },
      { ...common, subject: 'b', age: 50, actor: 'operator', address: '192.0.2.1' },
      { ...common, subject: 'c', age: 40, actor: user.id, address: '192.0.2.2' },
      {
        ...common,
        tenant: stranger.id,
        subject: 'd',
        age: 30,
        actor: user.id,
        address: '192.0.2.1',
        request: 'req_A',
      },
      { ...common, tenant: null, subject: 'e', age: 20, actor: user.id, address: '192.0.2.1' },
    ]);
    const found = async (query: string) =>
      (await entries(`?action=test.filter${query}`)).map(({ object }) => object.id).join('');
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

    expect(await found('')).toBe('cba');
    expect(await found('&address=192.0.2.1')).toBe('ba');
    expect(await found(`&actor=${user.id}`)).toBe('ca');
    expect(await found(`&actor=${user.email.toUpperCase()}`)).toBe('ca');
    expect(await found('&actor=nobody@example.com')).toBe('');
    expect(await found('&object=b')).toBe('b');
    expect(await found('&requestId=req_A')).toBe('a');
    expect(await found('&result=refused')).toBe('');
    expect(await found(`&from=${ago(1000)}`)).toBe('cb');
    expect(await found(`&to=${ago(1000)}`)).toBe('a');
    expect(await found(`&from=${ago(90_100).slice(0, 10)}&to=${ago(0).slice(0, 10)}`)).toBe('cba');
    expect(
      await found(`&object=a&actor=${user.id}&address=192.0.2.1&requestId=req_A&result=success`),
    ).toBe('a');
  });

  it('pages through equal times without gaps or repetitions, and refuses altered cursors', async () => {
    await enter(
      Array.from({ length: 60 }, (_, index) => ({
        tenant: tenant.id,
        action: 'test.page',
        subject: String(index),
        age: 1000 + Math.floor(index / 7),
      })),
    );
    for (const filter of ['action=test.page', 'action=test.page&result=success']) {
      const seen: string[] = [];
      let cursor = '';
      do {
        const { body } = await read(`?${filter}&limit=13${cursor}`);
        seen.push(...body.data.map(({ object }: Shown) => object.id));
        cursor =
          body.meta.pagination.cursor === null ? '' : `&cursor=${body.meta.pagination.cursor}`;
      } while (cursor !== '');
      expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(
        Array.from({ length: 60 }, (_, index) => String(index)),
      );
      expect(new Set(seen).size).toBe(60);
    }
    const { body } = await read('?action=test.page&limit=13');
    const { cursor } = body.meta.pagination;
    for (const query of [
      `action=test.page&cursor=${cursor}x`,
      `action=test.page&cursor=9${cursor}`,
      `action=other&cursor=${cursor}`,
      `cursor=${cursor}`,
    ]) {
      const refused = await read(`?${query}`);
      expect([query, refused.status, refused.body.code]).toEqual([query, 400, 'bad_request']);
    }
  });

  it('admits audit:read only, and no credential that is restricted to spaces', async () => {
    const other = await gatehouse.createKey(tenant, { scopes: ['api_keys:manage'] });
    expect((await read('', other)).body.code).toBe('scope_insufficient');
    const space = await createSpace(gatehouse, tenant, 'Fenced');
    const fenced = await gatehouse.createKey(tenant, { ...READER, spaces: [space] });
    for (const path of ['', '/exports']) {
      expect((await read(path, fenced)).body).toMatchObject({ status: 403, code: 'forbidden' });
    }
    expect((await gatehouse.http.get('/api/v1/audit-log')).status).toBe(401);
  });

  it.each([
    ['from=yesterday', 'from'],
    ['to=2026-13-01', 'to'],
    ['result=maybe', 'result'],
    ['actor=%00', 'actor'],
    ['object=', 'object'],
    ['colour=red', 'colour'],
    ['action=a&action=b', 'action'],
  ])('refuses ?%s with 422', async (query, field) => {
    const answer = await read(`?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ field }]);
  });
});
