import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import { PROBLEMS } from '../../../src/http/errors/problem.js';
import { createTenantStore } from '../../../src/tenants/tenant-store.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { postContact } from '../../support/app/contacts.js';
import { expectProblem } from '../../support/app/problems.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

/** The status of every error code, apart from the source. */
const STATUS = {
  bad_request: 400,
  unauthorized: 401,
  token_expired: 401,
  forbidden: 403,
  scope_insufficient: 403,
  tenant_suspended: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  idempotency_key_reused: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  validation_failed: 422,
  rate_limited: 429,
  internal_error: 500,
  service_unavailable: 503,
} as const;

describe('problems (RFC 9457)', () => {
  const gatehouse = useGatehouse({ ISSUER: 'https://auth.example.com' });
  let tenant: Tenant;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
  });

  const get = (path: string, by = key) => gatehouse.http.get(`/api/v1${path}`).set(by.bearer);
  /** Runs while the table `contacts` is away: an error that nobody foresaw. */
  const broken = async (ask: () => PromiseLike<Response>): Promise<Response> => {
    await gatehouse.database.query('ALTER TABLE contacts RENAME TO gone');
    try {
      return await ask();
    } finally {
      await gatehouse.database.query('ALTER TABLE gone RENAME TO contacts');
    }
  };

  const provoke: Record<keyof typeof STATUS, () => Promise<Response>> = {
    bad_request: async () => get('/contacts?cursor=x'),
    unauthorized: async () => gatehouse.http.get('/api/v1/me'),
    async token_expired() {
      const expiresAt = new Date(Date.now() + 60_000).toISOString();
      const brief = await gatehouse.createKey(tenant, { expiresAt });
      await gatehouse.database.shiftClock('2 minutes');
      const answer = await get('/me', brief);
      await gatehouse.database.shiftClock('0');
      return answer;
    },
    forbidden: async () =>
      gatehouse.http.patch(`/api/v1/api-keys/${key.id}`).set(key.bearer).send({ name: 'x' }),
    scope_insufficient: async () =>
      get('/contacts', await gatehouse.createKey(tenant, { scopes: ['leads:read'] })),
    async tenant_suspended() {
      const suspended = await gatehouse.createTenant('suspended');
      const other = await gatehouse.createKey(suspended);
      await createTenantStore(gatehouse.dataSource.manager).setSuspended(suspended.id, true);
      return get('/me', other);
    },
    not_found: async () => get('/contacts/999999'),
    method_not_allowed: async () => gatehouse.http.put('/api/v1/contacts').set(key.bearer),
    conflict: async () =>
      gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(key.bearer).send({ confirm: 'x' }),
    async idempotency_key_reused() {
      const once = { 'Idempotency-Key': 'once' };
      await postContact(gatehouse, key, { type: 'other' }, once);
      return postContact(gatehouse, key, { type: 'vendor' }, once);
    },
    payload_too_large: async () =>
      postContact(gatehouse, key, { type: 'other', firstName: 'x'.repeat(256 * 1024) }),
    unsupported_media_type: async () =>
      gatehouse.http.post('/api/v1/contacts').set(key.bearer).type('text/plain').send('x'),
    validation_failed: async () => postContact(gatehouse, key, {}),
    async rate_limited() {
      const limited = await gatehouse.createKey(tenant, { rateLimitPerMinute: 1 });
      await get('/me', limited);
      return get('/me', limited);
    },
    internal_error: () => broken(() => get('/contacts')),
    async service_unavailable() {
      await gatehouse.database.lock();
      const answer = await get('/me');
      await gatehouse.database.unlock();
      return answer;
    },
  };

  it('have these codes, each with this status', () => {
    const declared = Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]);

    expect(Object.fromEntries(declared)).toEqual(STATUS);
  });

  it.each(Object.keys(STATUS) as (keyof typeof STATUS)[])('%s is reached', async (code) => {
    const answer = await provoke[code]();

    expectProblem(answer, STATUS[code], code);
    expect(answer.body.type).toBe(`https://auth.example.com/docs/errors#${code}`);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    const members = ['code', 'detail', 'request_id', 'status', 'title', 'type'];
    const more = { validation_failed: ['errors'], scope_insufficient: ['required_scopes'] };
    expect(Object.keys(answer.body).toSorted()).toEqual(
      [...members, ...((more as Record<string, string[]>)[code] ?? [])].toSorted(),
    );
  });

  it('state no internal cause, which the log has', async () => {
    const logged = gatehouse.logged.length;

    const answer = await broken(() => get('/contacts'));

    for (const internal of ['relation', 'contacts', 'gone', 'SELECT', 'select', '42P01', '.ts']) {
      expect(JSON.stringify(answer.headers) + answer.text).not.toContain(internal);
    }
    const lines = gatehouse.logged.slice(logged).map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        requestId: answer.body.request_id,
        code: 'internal_error',
        err: expect.objectContaining({
          code: '42P01',
          message: 'relation "contacts" does not exist',
          stack: expect.any(String),
        }),
      }),
    );
  });

  it('have a request id that no client can choose', async () => {
    const ask = async () =>
      (await gatehouse.http.get('/nowhere').set('X-Request-Id', 'mine')).body.request_id;
    const ids = [await ask(), await ask()];

    expect(ids[0]).toMatch(/^req_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });
});
