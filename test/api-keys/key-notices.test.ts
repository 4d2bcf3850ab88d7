import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCleanup } from '../../src/server/cleanup.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DAY_MS = 86_400_000;

describe('the sweep of keys', () => {
  const gatehouse = useGatehouse();
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    const tenant = await gatehouse.createTenant('acme');
    const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
    ids['long'] = (await gatehouse.createKey(tenant, { expiresAt: inDays(40) })).id;
    ids['short'] = (await gatehouse.createKey(tenant, { expiresAt: inDays(5) })).id;
    const revoked = await gatehouse.createKey(tenant, { expiresAt: inDays(40) });
    await gatehouse.http.delete(`/api/v1/api-keys/${revoked.id}`).set(revoked.bearer);
    ids['used'] = (await gatehouse.createKey(tenant)).id;
    await gatehouse.database.query(
      `INSERT INTO credential_uses (credential_id, used_at) VALUES ($1, now() + interval '50 days')`,
      [ids['used']],
    );
    ids['unused'] = (await gatehouse.createKey(tenant)).id;
  });

  /** Sweeps on two replicas at once, so many days from now, and reads what was told. */
  async function toldAfter(days: number): Promise<readonly string[]> {
    await gatehouse.database.shiftClock(`${days} days`);
    const sql = `SELECT subject, action || ' ' || (details->>'days') AS told, actor FROM audit_log
      WHERE action IN ('key.expiring', 'key.unused') ORDER BY id`;
    const before = (await gatehouse.database.query(sql)).length;
    const { signal } = new AbortController();
    await Promise.all([1, 2].map(() => runCleanup(gatehouse.dataSource, signal)));
    const rows = await gatehouse.database.query<Record<'subject' | 'told' | 'actor', string>>(sql);
    const names = new Map(Object.entries(ids).map(([name, id]) => [id, name]));
    return rows.slice(before).map(({ subject, told }) => `${names.get(subject) ?? '?'} ${told}`);
  }

  it('tells once of keys that expire in 30, 7 and 1 days, and of unused ones', async () => {
    expect(await toldAfter(0)).toEqual([]);
    // A key of five days was never told of seven.
    expect(await toldAfter(4.2)).toEqual(['short key.expiring 1']);
    expect(await toldAfter(11)).toEqual(['long key.expiring 30']);
    expect(await toldAfter(12)).toEqual([]);
    expect(await toldAfter(34)).toEqual(['long key.expiring 7']);
    expect(await toldAfter(39.5)).toEqual(['long key.expiring 1']);
    expect(await toldAfter(91)).toEqual(['unused key.unused 90']);
    expect(await toldAfter(100)).toEqual([]);
    expect(await toldAfter(141)).toEqual(['used key.unused 90']);
  });
});
