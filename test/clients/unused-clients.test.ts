import { describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import { runCleanup } from '../../src/server/cleanup.js';
import { createClientStore } from '../../src/clients/client-store.js';
import { managing, register, registerConfidential } from '../support/app/clients.js';
import { createUser, getTokens } from '../support/oauth/oauth.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const app = (name: string) => ({
  client_name: name,
  redirect_uris: ['https://app.example.com/callback'],
});

describe('an unused client', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });

  const cleanUpAfter = async (days: number) => {
    await gatehouse.database.shiftClock(`${days} days`);
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
  };
  const statusOf = async ({ client_id, registration_access_token }: Response['body']) =>
    (await managing(gatehouse, client_id, registration_access_token).get()).status;
  const store = () => createClientStore(gatehouse.dataSource.manager);

  it('is kept once it had a grant, or the operator or a tenant decided about it', async () => {
    const tenant = await gatehouse.createTenant('kept');
    const user = await createUser(gatehouse, [[tenant, 'manager']]);
    const make = async (name: string) => (await register(gatehouse, app(name))).body;
    const used = await make('Used');
    await getTokens(gatehouse, { client: used, user });
    // The grant ends, and cleanup deletes it.
    await gatehouse.database.query('DELETE FROM grants');
    const verified = await make('Verified');
    await store().setVerified(verified.client_id, true);
    const blocked = await make('Blocked');
    await store().setBlocked(blocked.client_id, null, true);
    const blockedByTenant = await make('Blocked by a tenant');
    await store().setBlocked(blockedByTenant.client_id, tenant.id, true);

    // Less than the audit log keeps: the partition of today is still there when the clock is set back.
    await cleanUpAfter(300);
    for (const client of [used, verified, blocked, blockedByTenant]) {
      expect(await statusOf(client)).toBe(200);
    }
    expect(await store().isBlocked(tenant.id, blocked.client_id)).toBe(true);
    expect(await store().isBlocked(tenant.id, blockedByTenant.client_id)).toBe(true);
    await gatehouse.database.shiftClock('0 days');
  });

  it('is deleted after 30 days, with its registration token', async () => {
    const open = (await register(gatehouse, app('Open'))).body;
    const confidential = (await registerConfidential(gatehouse)).body;

    await cleanUpAfter(29);
    expect([await statusOf(open), await statusOf(confidential)]).toEqual([200, 200]);
    await cleanUpAfter(31);
    expect([await statusOf(open), await statusOf(confidential)]).toEqual([401, 401]);

    const again = (await register(gatehouse, app('Open'))).body;
    await gatehouse.database.shiftClock('0 days');
    expect(again.client_id).toBe(open.client_id);
    expect(again.registration_access_token).toBe(open.registration_access_token);
    expect(await statusOf(open)).toBe(200);
  });

  it('is kept for another 30 days when it registers again', async () => {
    const first = (await register(gatehouse, app('Again'))).body;
    await cleanUpAfter(29);
    const again = (await register(gatehouse, app('Again'))).body;
    expect(again.client_id_issued_at).toBe(first.client_id_issued_at);
    await cleanUpAfter(58);
    expect(await statusOf(first)).toBe(200);
    await cleanUpAfter(60);
    expect(await statusOf(first)).toBe(401);
    await gatehouse.database.shiftClock('0 days');
  });

  it('is created again if cleanup deletes it while it registers', async () => {
    const first = (await register(gatehouse, app('Raced'))).body;
    await gatehouse.database.shiftClock('31 days');
    const cleaner = gatehouse.dataSource.createQueryRunner();
    await cleaner.startTransaction();
    await cleaner.query('DELETE FROM clients WHERE id = $1', [first.client_id]);
    const registering = register(gatehouse, app('Raced')).then((answer) => answer);
    await until(async () => {
      const waiting = await gatehouse.database.query(
        `SELECT FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'transactionid'`,
      );
      return waiting.length === 1;
    });
    await cleaner.commitTransaction();
    await cleaner.release();
    const { status, body } = await registering;
    expect(status).toBe(201);
    expect(await statusOf(body)).toBe(200);
    await gatehouse.database.shiftClock('0 days');
  });

  it('is found by an index', async () => {
    await gatehouse.database.query(
      `INSERT INTO clients (id, name, metadata, unused_since) SELECT 'cli_' || n, 'x', '{}',
         CASE WHEN n % 2 = 0 THEN gatehouse_now() - interval '31 days' END
       FROM generate_series(1, 5000) AS n`,
    );
    await gatehouse.database.query('ANALYZE clients');
    const plan = await gatehouse.database.query(
      `EXPLAIN SELECT id FROM clients WHERE unused_since <= gatehouse_now() - interval '30 days' AND NOT is_verified
         AND blocked_at IS NULL ORDER BY unused_since LIMIT 1000 FOR UPDATE SKIP LOCKED`,
    );
    expect(JSON.stringify(plan)).toContain('clients_unused');
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
    const left = await gatehouse.database.query(
      `SELECT FROM clients WHERE name = 'x' AND metadata = '{}'`,
    );
    expect(left).toHaveLength(2500);
  });
});
