import { beforeAll, describe, expect, it } from '@jest/globals';

import { createUsageHistory } from '../../src/usage/usage-history.js';
import { usageRangeOf } from '../../src/usage/usage-range.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { recordStatements, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const KEYS = 100;
const HOURS = 24;

describe('the history of usage in a table that others fill', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    const other = await gatehouse.createTenant('other');
    await gatehouse.database.query(
      `INSERT INTO usage_counts
       SELECT t.id, 'live', CASE WHEN k = 0 THEN t.id ELSE 'key_' || k END,
         date_trunc('hour', gatehouse_now()) - make_interval(hours => h), process, 1, 0, 0, 0
       FROM tenants t, generate_series(0, CASE WHEN t.id = $1 THEN ${KEYS} ELSE 400 END) k,
         generate_series(0, ${HOURS - 1}) h, generate_series(1, 2) process WHERE t.id = ANY ($2::text[])
         AND date_trunc('hour', gatehouse_now()) - make_interval(hours => h) >= (
           SELECT min(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''([^'']+)''\\)')::timestamptz)
           FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'usage_counts'::regclass)`,
      [tenant.id, [tenant.id, other.id]],
    );
    await gatehouse.database.query('ANALYZE usage_counts');
  });

  const history = () => createUsageHistory(gatehouse.dataSource.manager);
  const owner = () => ({ tenantId: tenant.id, environment: 'live' as const });
  async function scans(work: () => Promise<unknown>) {
    const [statement, ...more] = await recordStatements('usage-', work);
    expect(more).toEqual([]);
    const found = statement === undefined ? [] : await scansOf(gatehouse.database, statement);
    return found.filter(({ rows }) => rows > 0);
  }

  it('reads the rows of one key or of the sum of a tenant by the primary key', async () => {
    for (const subject of ['key_7', undefined]) {
      for (const { by, rows } of await scans(() =>
        history().read(owner(), subject, usageRangeOf({ per: 'hour' })),
      )) {
        expect(by).toMatch(/_pkey$/);
        expect(rows).toBeLessThanOrEqual(HOURS * 2);
      }
    }
  });

  it('finds the busiest keys among the rows of the tenant alone', async () => {
    for (const { by, rows } of await scans(() =>
      history().busiest(owner(), usageRangeOf({ per: 'hour' }), 25),
    )) {
      expect(by).not.toBe('Seq Scan');
      expect(rows).toBeLessThanOrEqual((KEYS + 1) * HOURS * 2);
    }
  });
});
