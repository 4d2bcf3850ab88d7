import { beforeAll, describe, expect, it } from '@jest/globals';

import { makePartitions } from '../../src/db/partitions.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { finishRequest, openRequest } from '../support/app/late-body.js';
import { createSpace } from '../support/app/spaces.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const READER = { name: 'Reader', scopes: ['audit:read'] };
const HOUR = 3_600_000;

interface Point {
  readonly start: string;
  readonly total: number;
  readonly answers: Readonly<Record<string, number>>;
}

describe('GET /api/v1/usage/history', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let reader: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    reader = await gatehouse.createKey(tenant, READER);
  });

  const read = async (query: string, by: TestKey = reader) => {
    await gatehouse.app.activity.flush();
    return gatehouse.http.get(`/api/v1/usage/history?${query}`).set(by.bearer);
  };
  const answersOf = async (query: string, by: TestKey = reader) =>
    (await read(query, by)).body.data.answers;
  const enter = (rows: readonly object[]) =>
    gatehouse.database.query(
      `INSERT INTO usage_counts SELECT tenant, environment, subject, to_timestamp(hour * 3600.0), process, n, 0, 0, 0
       FROM jsonb_to_recordset($1::jsonb) AS row (tenant text, environment text, subject text, hour int, process int, n int)`,
      [JSON.stringify(rows)],
    );

  it('counts answers by class: 2xx, 4xx, 401 and 403, 429', async () => {
    const key = await gatehouse.createKey(tenant, {
      rateLimitPerMinute: 6,
      allowedIps: ['127.0.0.1'],
    });
    const send = (path: string) => gatehouse.http.get(`/api/v1${path}`).set(key.bearer);
    for (let times = 0; times < 3; times += 1) await send('/me').expect(200);
    await send('/contacts/1').expect(404);
    await send('/contacts?colour=red').expect(422);
    await gatehouse.http.post('/api/v1/contacts').set(key.bearer).send({}).expect(422);
    await send('/me').expect(429);
    const weak = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
    await gatehouse.http.get('/api/v1/contacts').set(weak.bearer).expect(403);
    const fenced = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.1'] });
    await gatehouse.http.get('/api/v1/me').set(fenced.bearer).expect(401);

    const of = async (id: string) => answersOf(`key=${id}`);
    expect(await of(key.id)).toEqual({ '2xx': 3, '4xx': 3, '401/403': 0, '429': 1 });
    expect(await of(weak.id)).toEqual({ '2xx': 0, '4xx': 0, '401/403': 1, '429': 0 });
    expect(await of(fenced.id)).toEqual({ '2xx': 0, '4xx': 0, '401/403': 1, '429': 0 });
  });

  it('counts a request once whose body arrives late, after a second look at the credential', async () => {
    const key = await gatehouse.createKey(tenant);
    expect(await finishRequest(await openRequest(gatehouse, key))).toBe(201);
    expect((await read(`key=${key.id}`)).body.data.total).toBe(1);
  });

  it('sums all of the tenant and its environment, apps included, and no other tenant', async () => {
    const acme = await gatehouse.createTenant('sums');
    const own = await gatehouse.createKey(acme, READER);
    const test = await gatehouse.createKey(acme, { ...READER, environment: 'test' });
    const stranger = await gatehouse.createKey(await gatehouse.createTenant('stranger'), READER);
    const user = await createUser(gatehouse, [[acme, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const tokens = await getTokens(gatehouse, {
      client,
      user,
      parameters: { scope: 'audit:read' },
    });
    const token = { Authorization: `Bearer ${tokens.access_token}` };
    const me = (headers: Record<string, string>) => gatehouse.http.get('/api/v1/me').set(headers);
    for (let times = 0; times < 2; times += 1) await me(token).expect(200);
    await me(own.bearer).expect(200);
    await me(test.bearer).expect(200);
    await me(stranger.bearer).expect(200);

    expect((await answersOf('', own))['2xx']).toBe(3);
    expect((await answersOf(`key=${client.client_id}`, own))['2xx']).toBe(2);
    expect((await read('', test)).body.data).toMatchObject({ environment: 'test', total: 1 });
    expect((await answersOf(`key=${client.client_id}`, stranger))['2xx']).toBe(0);
  });

  it('has a point for each hour or day, and sums the rows of every process', async () => {
    const key = await gatehouse.createKey(tenant, READER);
    const now = Math.floor(Date.now() / HOUR);
    const row = { tenant: tenant.id, environment: 'live', subject: key.id };
    // The partition of yesterday, if that is not the one of today.
    await gatehouse.database.shiftClock('-1 day');
    await makePartitions(gatehouse.dataSource);
    await gatehouse.database.shiftClock('0');
    await enter([
      { ...row, hour: now - 1, process: 1, n: 5 },
      { ...row, hour: now - 1, process: 2, n: 7 },
      { ...row, hour: now - 23, process: 1, n: 11 },
      { ...row, hour: now - 24, process: 1, n: 100 },
    ]);
    const hours: Point[] = (await read(`key=${key.id}`)).body.data.points;
    expect(hours).toHaveLength(24);
    expect(hours[22]).toEqual({
      start: new Date((now - 1) * HOUR).toISOString(),
      total: 12,
      answers: { '2xx': 12, '4xx': 0, '401/403': 0, '429': 0 },
    });
    expect(hours[0]?.total).toBe(11);
    expect(hours.filter(({ total }) => total > 0)).toHaveLength(2);

    const days = (await read(`key=${key.id}&per=day`)).body.data;
    expect(days.points).toHaveLength(30);
    expect(days.total).toBe(123);
    const last = new Date((now - 24) * HOUR).toISOString().slice(0, 10);
    const one = (await read(`key=${key.id}&per=day&from=${last}&to=${last}`)).body.data;
    expect(one.points).toMatchObject([{ start: `${last}T00:00:00.000Z` }]);
    expect(one.total).toBeGreaterThanOrEqual(100);
  });

  it('knows no key of another tenant, environment or space', async () => {
    const foreign = await gatehouse.createKey(await gatehouse.createTenant('foreign'));
    const live = await gatehouse.createKey(tenant);
    const test = await gatehouse.createKey(tenant, { ...READER, environment: 'test' });
    const space = await createSpace(gatehouse, tenant, 'East');
    const fenced = await gatehouse.createKey(tenant, { ...READER, spaces: [space] });
    for (const [id, by] of [
      [foreign.id, reader],
      ['key_01M7XDXM196WXM1ABP0DNE71TS', reader],
      ['nonsense', reader],
      [tenant.id, reader],
      [live.id, test],
      [live.id, fenced],
    ] as const) {
      const answer = await read(`key=${id}`, by);
      expect([id, answer.status, answer.body.code]).toEqual([id, 404, 'not_found']);
    }
    expect((await read(`key=${test.id}`)).body.data.environment).toBe('test');
    expect((await read(`key=${fenced.id}`, fenced)).status).toBe(200);
    const weak = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
    expect((await read('', weak)).body.code).toBe('scope_insufficient');
  });

  it.each([
    ['per=week', 'per'],
    ['from=yesterday', 'from'],
    ['from=2026-02-01&to=2026-01-01', 'from'],
    ['from=2026-01-01&to=2026-03-01', 'from'],
    ['per=day&from=2024-01-01', 'from'],
    ['limit=3', 'limit'],
  ])('refuses ?%s with 422', async (query, field) => {
    const answer = await read(query);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toMatchObject([{ field }]);
  });
});
