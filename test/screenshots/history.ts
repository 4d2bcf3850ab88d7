import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/oauth/oauth.js';

const LONG = 'x'.repeat(80);

/** Fills a tenant's audit log and history of usage, as a month of work would. */
export async function fillHistory(
  gatehouse: TestApp,
  tenant: Tenant,
  { id: adminId }: TestUser,
): Promise<void> {
  const { database } = gatehouse;
  const names = ['Sync with the ERP', 'مفتاح الويب 🏗️', LONG, 'Nightly export'];
  // Counts of the last month may need a partition that a new installation does not have.
  await database.query(`DO $$ BEGIN EXECUTE format(
    'CREATE TABLE usage_counts_earlier PARTITION OF usage_counts FOR VALUES FROM (MINVALUE) TO (%L)',
    (SELECT min(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \\(''([^'']+)''\\)')) FROM pg_inherits
      JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'usage_counts'::regclass)); END $$`);
  const keys = [];
  for (const name of names) keys.push((await gatehouse.createKey(tenant, { name })).id);
  // A part of the hour's budget.
  const { bearer } = await gatehouse.createKey(tenant, { name: 'Archive' });
  for (let times = 0; times < 12; times += 1) {
    await gatehouse.http.get('/api/v1/audit-log/exports').set(bearer);
  }
  await database.query(
    `INSERT INTO usage_counts
     SELECT $1, 'live', subject, date_trunc('hour', gatehouse_now()) - make_interval(hours => n), 1,
       (size * (14 + 12 * sin(n / 4.0)))::bigint, (size * (1 + sin(n / 3.0)) / 4)::bigint,
       CASE WHEN n % 7 = 3 THEN size ELSE 0 END, CASE WHEN n % 24 BETWEEN 4 AND 6 THEN size * 3 ELSE 0 END
     FROM generate_series(0, 24 * 30) AS n,
       unnest($2::text[], ARRAY[90, 30, 8, 1, 129]) AS given (subject, size)`,
    [tenant.id, [...keys, tenant.id]],
  );
  const entries = [
    {
      action: 'api_key.update',
      subject: keys[0],
      details: {
        before: { name: 'Sync', rateLimitPerMinute: null },
        after: { name: names[0], rateLimitPerMinute: 120 },
      },
    },
    {
      action: 'space.rename',
      subject: 'spc_01M7XDXM196WXM1ABP0DNE71TS',
      details: { before: 'East', after: `West ${LONG}` },
    },
    {
      action: 'credential.refused',
      actor: keys[1],
      subject: keys[1],
      details: { reason: 'address_not_allowed' },
      occurrences: 1204,
    },
    {
      action: 'credential.refused',
      actor: keys[2],
      subject: keys[2],
      details: { reason: 'scope_insufficient' },
    },
    {
      action: 'grant.create',
      subject: 'grt_01M7XDXM196WXM1ABP0DNE71TS',
      details: { clientId: 'cli_x', scopes: ['contacts:read', 'contacts:write'] },
    },
    {
      action: 'membership.update',
      actor: 'operator',
      subject: adminId,
      details: { before: 'member', after: 'company_admin' },
    },
    {
      action: 'api_key.revoke',
      subject: keys[3],
      details: { name: 'Old key', reason: 'leaked <script>alert(1)</script>' },
    },
  ];
  await database.query(
    `INSERT INTO audit_log (tenant_id, actor, action, subject, details, address, request_id, occurrences, at)
     SELECT $1, coalesce(entry ->> 'actor', $2), entry ->> 'action', entry ->> 'subject', entry -> 'details',
       '203.0.113.' || n % 250, 'req_01M7XDXM196WXM1ABP0DNE' || lpad(n::text, 4, '0'),
       coalesce((entry ->> 'occurrences')::int, 1), gatehouse_now() - make_interval(mins => n * 37)
     FROM generate_series(1, 60) AS n, LATERAL (SELECT $3::jsonb -> (n % jsonb_array_length($3::jsonb)) AS entry) AS chosen`,
    [tenant.id, adminId, JSON.stringify(entries)],
  );
}
