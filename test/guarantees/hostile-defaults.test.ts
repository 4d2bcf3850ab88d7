import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';

const DAY_MS = 86_400_000;

/** Everything that answers depend on, as it has to be in every session. */
const PINNED = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  client_encoding: 'UTF8',
  default_transaction_isolation: 'read committed',
  transaction_isolation: 'read committed',
  search_path: 'public, pg_temp',
  standard_conforming_strings: 'on',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  transform_null_equals: 'off',
  exit_on_error: 'off',
  idle_session_timeout: '0',
  transaction_timeout: '0',
};

describe('a database whose sessions have other defaults', () => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  let admin: TestKey;
  beforeAll(async () => {
    process.env['GATEHOUSE_TEST_DEFAULTS'] = 'hostile';
    gatehouse = await createTestApp();
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
  });
  afterAll(() => gatehouse.close());

  async function settingsOf(pool: pg.Pool): Promise<Record<string, string>> {
    const { rows } = await pool.query<{ name: string; setting: string }>(
      `SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY ($1)`,
      [[...Object.keys(PINNED), 'statement_timeout', 'lock_timeout']],
    );
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  }

  it('applies them to a session that pins nothing', async () => {
    const [row] = await gatehouse.database.query<{ count: string }>(
      `SELECT count(*) FROM pg_db_role_setting, unnest(setconfig)
       WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(Number(row?.count)).toBeGreaterThanOrEqual(Object.keys(PINNED).length);
  });

  it('gives every pool of the server the pinned settings', async () => {
    const { master } = gatehouse.dataSource.driver as unknown as { master: pg.Pool };
    expect(await settingsOf(master)).toEqual({
      ...PINNED,
      statement_timeout: '15s',
      lock_timeout: '5s',
    });
    expect(await settingsOf(gatehouse.verifierPool)).toEqual({
      ...PINNED,
      statement_timeout: '2500ms',
      lock_timeout: '2500ms',
    });
  });

  it('reports correct times and keeps the expiry of a key', async () => {
    const expiresAt = new Date(Date.now() + 28 * DAY_MS).toISOString();
    const { body, status } = await gatehouse.http
      .post('/api/v1/api-keys')
      .set(admin.bearer)
      .send({ name: 'Ends', scopes: ['contacts:read'], expiresAt });
    expect(status).toBe(201);
    expect(body.data.expiresAt).toBe(expiresAt);
    expect(Math.abs(Date.parse(body.data.createdAt) - Date.now())).toBeLessThan(60_000);
    const key = { Authorization: `Bearer ${body.data.key}` };
    await gatehouse.http.get('/api/v1/me').set(key).expect(200);
    await gatehouse.database.shiftClock('29 days');
    await gatehouse.http.get('/api/v1/me').set(key).expect(401);
    await gatehouse.database.shiftClock('0 days');
  });

  it('gives one successor to five rotations at once', async () => {
    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const rotations = Array.from({ length: 5 }, () =>
      gatehouse.http.post(`/api/v1/api-keys/${key.id}/rotate`).set(admin.bearer).send({}),
    );
    const answers = await Promise.all(rotations);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409]);
  });

  it('creates twenty things at once', async () => {
    const creations = Array.from({ length: 20 }, (_, index) =>
      gatehouse.http
        .post('/api/v1/contacts')
        .set(admin.bearer)
        .send({ type: 'customer', firstName: `é\\${index}` }),
    );
    const answers = await Promise.all(creations);
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect(new Set(answers.map(({ body }) => body.data.firstName)).size).toBe(20);
    const { body } = await gatehouse.http.get('/api/v1/contacts').set(admin.bearer).expect(200);
    expect(body.data.map((one: { firstName: string }) => one.firstName)).toContain('é\\7');
  });
});
