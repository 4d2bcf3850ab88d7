import { beforeAll, describe, expect, it } from '@jest/globals';

import { createClientStore } from '../../src/clients/client-store.js';
import { searchApps } from '../../src/grants/app-search.js';
import { findGrants, type GrantFilter } from '../../src/grants/grant-list.js';
import { recordStatements, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** More than a page of 25 and the one row that tells of more. */
const PAGE = 26;

/** Grants that a search for apps examines: 500 of each of 20 clients. It steps through 5,000 clients. */
const SEARCHED = 10_000;

/** Tenants with a fifth of the grants, a half, and few, oldest first, and newer ones. */
const SHARES = [
  ['fifth', 8_000],
  ['half', 20_000],
  ['small', 60],
  ['newer', 12_000],
] as const;

/** In each tenant one account and one client have half of the grants, the others one or two each. */
const FILL = [
  `INSERT INTO accounts (id, email, name, password_hash)
   SELECT 'usr_' || $1 || n, lower($1) || n || '@example.com', 'Ada', 'none' FROM generate_series(1, $2::int / 2) n`,
  `INSERT INTO memberships (account_id, tenant_id, role)
   SELECT 'usr_' || $1 || n, $1, 'manager' FROM generate_series(1, $2::int / 2) n`,
  `INSERT INTO clients (id, name, metadata)
   SELECT 'cli_' || $1 || n, 'App ' || n, '{}' FROM generate_series(1, $2::int / 2) n`,
  `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects, issue_seq, keep_until)
   SELECT 'grt_' || $1 || n, $1, 'usr_' || $1 || (CASE WHEN n % 2 = 0 THEN 1 ELSE n / 2 + 1 END),
     'cli_' || $1 || (CASE WHEN n % 2 = 0 THEN 1 ELSE n / 2 + 1 END), '{contacts:read}', '{}', 'https://a.example/',
     ARRAY['grt_' || $1 || n, $1], nextval('issue_order'), gatehouse_now() + interval '9 days'
   FROM generate_series(1, $2::int) n`,
  `INSERT INTO grant_uses (grant_id, used_at) SELECT id, gatehouse_now() FROM grants WHERE tenant_id = $1 LIMIT $2`,
  `INSERT INTO client_blocks (client_id, tenant_id)
   SELECT 'cli_' || $1 || n, $1 FROM generate_series(1, $2::int / 10) n`,
  `INSERT INTO revocations (subject, seq, revoked_by)
   SELECT $1 || '_ended_' || n, nextval('issue_order'), 'test' FROM generate_series(1, $2::int) n`,
];

/** Many tenants and accounts with a few grants each, so that a plan for unknown values expects a few. */
const FILL_CROWD = [
  `INSERT INTO tenants (id, slug, name) SELECT 'tnt_crowd' || n, 'crowd' || n, 'Crowd' FROM generate_series(1, 4000) n`,
  `INSERT INTO accounts (id, email, password_hash) SELECT 'usr_crowd' || n, n || '@example.org', 'none'
   FROM generate_series(1, 4000) n`,
  `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects, issue_seq, keep_until)
   SELECT 'grt_crowd' || n || x, 'tnt_crowd' || n, 'usr_crowd' || n, (SELECT min(id) FROM clients), '{}', '{}',
     'https://a.example/', ARRAY['grt_crowd' || n || x], nextval('issue_order'), gatehouse_now() + interval '9 days'
   FROM generate_series(1, 4000) n, generate_series(1, 6) x`,
];

describe('a page of grants in a hostile table', () => {
  const gatehouse = useGatehouse();
  const tenants = new Map<string, string>();
  beforeAll(async () => {
    for (const [slug, rows] of SHARES) {
      const { id } = await gatehouse.createTenant(slug);
      tenants.set(slug, id);
      for (const fill of FILL) await gatehouse.database.query(fill, [id, rows]);
    }
    for (const fill of FILL_CROWD) await gatehouse.database.query(fill);
    await gatehouse.database.query('ANALYZE');
  }, 120_000);

  const LISTS: Readonly<Record<string, (tenant: string) => GrantFilter>> = {
    'of the tenant': (tenantId) => ({ tenantId }),
    'of the tenant, active': (tenantId) => ({ tenantId, isActive: true }),
    'of a client': (tenantId) => ({ tenantId, clientId: `cli_${tenantId}1`, isActive: true }),
    'of an account': (tenant) => ({ accountId: `usr_${tenant}1`, isActive: true }),
    'of a member': (tenantId) => ({ accountId: `usr_${tenantId}1`, tenantId, isActive: true }),
  };

  it.each(SHARES.map(([slug]) => slug))(
    'of the tenant %s reads index ranges of the size of the page',
    async (slug) => {
      const tenant = tenants.get(slug) ?? '';
      for (const [list, filterOf] of Object.entries(LISTS)) {
        const first = await read(filterOf(tenant), undefined);
        for (const after of [undefined, Number(first.found.at(-1)?.issueSeq)]) {
          const statements = await recordStatements('list-grants', () =>
            read(filterOf(tenant), after),
          );
          const [statement] = statements;
          expect({ list, statement }).toMatchObject({ statement: { name: expect.any(String) } });
          // A second one tells where the search ended, and only if the page is not full.
          if (slug !== 'small') expect(statements).toHaveLength(1);
          if (statement !== undefined) await expectIndexRanges(list, statement);
        }
      }
    },
  );

  it.each(SHARES.map(([slug]) => slug))('of blocked clients of %s does, too', async (slug) => {
    const page = { limit: 25, after: undefined };
    const statements = await recordStatements('list-blocked', () =>
      createClientStore(gatehouse.dataSource.manager).listBlockedBy(tenants.get(slug) ?? '', page),
    );
    expect(statements).toHaveLength(1);
    for (const statement of statements) await expectIndexRanges('blocked', statement);
  });

  it.each(SHARES.map(([slug]) => slug))('a search for apps of %s does, too', async (slug) => {
    const tenantId = tenants.get(slug) ?? '';
    const { manager } = gatehouse.dataSource;
    for (const accountId of [undefined, `usr_${tenantId}1`]) {
      for (const words of [['app'], ['nothing']]) {
        const search = { tenantId, accountId, words, limit: 5, after: undefined };
        const statements = await recordStatements('search-apps', () => searchApps(manager, search));
        expect(statements).toHaveLength(1);
        for (const statement of statements) await expectIndexRanges('apps', statement, SEARCHED);
      }
    }
  });

  const read = (filter: GrantFilter, after: number | undefined) =>
    findGrants(gatehouse.dataSource.manager, filter, { limit: 25, after });

  async function expectIndexRanges(
    list: string,
    statement: Parameters<typeof scansOf>[1],
    limit?: number,
  ): Promise<void> {
    for (const scan of await scansOf(gatehouse.database, statement)) {
      // Four tenants fit in one page of the disk.
      if (scan.of === 'tenants' || scan.by.startsWith('CTE')) continue;
      expect({ list, ...scan }).toMatchObject({
        by: expect.stringMatching(/_pkey$|_listed$|^grants_of_|^client_blocks_of_tenant$/),
      });
      // One client and one account have half of the tenant's grants: their range and the tenant's cost about the same.
      const most = limit ?? (/^of a (client|member)$/.test(list) ? 4 * PAGE : PAGE);
      const limits = { list, ...scan, isTooLarge: scan.rows > most };
      expect(limits).toEqual({ ...limits, isTooLarge: false });
    }
  }
});
