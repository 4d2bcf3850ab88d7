import { beforeAll, describe, expect, it } from '@jest/globals';

import type { EntityManager } from 'typeorm';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { listMembershipsOf } from '../../src/accounts/directory/membership-list.js';
import { createInvitationStore } from '../../src/accounts/members/invitation-store.js';
import { MAX_LISTED_MEMBERSHIPS } from '../../src/accounts/account-memberships.js';
import { createClientStore } from '../../src/clients/client-store.js';
import { listMembers } from '../../src/console/members/member-list.js';
import { createResourceServerStore } from '../../src/resource-servers/resource-server-store.js';
import { createSessionStore } from '../../src/sessions/session-store.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { TestApp, TestKey } from '../support/app/app.js';
import { recordStatements, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** More than a page of 25 and the one row that tells of more, in each of two plans. */
const PAGE = 26;

/**
 * Rows of several tenants in one table, oldest first: a tenant with a fifth of it, one with a half, and
 * a small one, then newer rows of others. Of each nine tenths are deleted, mostly the newest, and as
 * many test rows stand beside the live ones.
 */
const SHARES = [
  ['fifth', 12_000],
  ['half', 30_000],
  ['small', 60],
  ['newer', 18_000],
] as const;

const FILL = {
  contacts: `INSERT INTO contacts (tenant_id, environment, space_id, first_name, type, deleted_at, created_at)
    SELECT s.tenant_id, CASE WHEN n % 2 = 0 THEN 'live' ELSE 'test' END, s.id, 'Contact ' || n,
      CASE WHEN n % 100 < 2 THEN 'vendor' ELSE 'customer' END,
      CASE WHEN n > $2::int / 10 THEN gatehouse_now() END,
      gatehouse_now() - interval '1 second' * ($2::int - n)
    FROM spaces s, generate_series(1, $2::int) n WHERE s.tenant_id = $1 AND s.is_default`,
  products: `INSERT INTO products (tenant_id, environment, space_id, name, sku, deleted_at, created_at)
    SELECT s.tenant_id, CASE WHEN n % 2 = 0 THEN 'live' ELSE 'test' END, s.id, 'Product ' || n, n,
      CASE WHEN n > $2::int / 10 THEN gatehouse_now() END,
      gatehouse_now() - interval '1 second' * ($2::int - n)
    FROM spaces s, generate_series(1, $2::int) n WHERE s.tenant_id = $1 AND s.is_default`,
  spaces: `INSERT INTO spaces (id, tenant_id, name, is_default)
    SELECT $1 || '_' || n, $1, 'Space ' || n, false FROM generate_series(1, $2::int / 30) n`,
  keys: `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
      principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
    SELECT 'key_' || s.id || n, s.tenant_id, 'secret', CASE WHEN n % 100 = 0 THEN 'test' ELSE 'live' END,
      'Key ' || n, '{leads:read}', 'tenant', s.tenant_id, s.id || n, 'none', 'x',
      ARRAY['key_' || s.id || n, s.tenant_id], nextval('issue_order'), 'test'
    FROM spaces s, generate_series(1, $2::int) n WHERE s.tenant_id = $1 AND s.is_default`,
  uses: `INSERT INTO credential_uses (credential_id, used_at)
    SELECT id, gatehouse_now() FROM credentials WHERE tenant_id = $1 LIMIT $2`,
  revocations: `INSERT INTO revocations (subject, seq, revoked_by)
    SELECT $1 || '_ended_' || n, nextval('issue_order'), 'test' FROM generate_series(1, $2::int) n`,
  accounts: `INSERT INTO accounts (id, email, name, password_hash)
    SELECT 'usr_' || $1 || n, lower($1) || n || '@example.com', 'Ada', 'none' FROM generate_series(1, $2::int / 10) n`,
  memberships: `INSERT INTO memberships (account_id, tenant_id, role)
    SELECT 'usr_' || $1 || n, $1, CASE WHEN n % 400 = 1 THEN 'company_admin' ELSE 'manager' END
    FROM generate_series(1, $2::int / 10) n`,
  invitations: `INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
    SELECT 'inv_' || $1 || n, $1, n || '@example.com', 'viewer', $1 || n, 'none', true, 'usr_' || $1 || 1,
      gatehouse_now() + interval '1 day' FROM generate_series(1, least($2::int / 6, 100)) n`,
  clients: `INSERT INTO clients (id, name, metadata, created_at)
    SELECT 'cli_' || $1 || n, 'App', '{}', gatehouse_now() - interval '1 second' * n FROM generate_series(1, $2::int / 5) n`,
  blocks: `INSERT INTO client_blocks (client_id, tenant_id) SELECT 'cli_' || $1 || n, $1 FROM generate_series(1, $2::int / 5) n`,
  // One account has a thousand in each tenant, more than are counted for it.
  grants: `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri, subjects, issue_seq, keep_until)
    SELECT 'grt_' || $1 || n, $1, 'usr_' || $1 || (CASE WHEN n < 2000 THEN 1 ELSE 2 END), 'cli_' || $1 || 1, '{}', '{}',
      'https://a.example/', ARRAY['grt_' || $1 || n], nextval('issue_order'), gatehouse_now() + interval '9 days'
    FROM generate_series(1, $2::int / 5) n`,
  sessions: `INSERT INTO sessions (id, digest, digest_key_id, account_id, payload, subjects, issue_seq, expires_at)
    SELECT 'ses_' || $1 || n, $1 || n, 'none', 'usr_' || $1 || n % 5 + 1, '{}', ARRAY['usr_' || $1 || n % 5 + 1],
      nextval('issue_order'), gatehouse_now() + interval '1 day' FROM generate_series(1, least($2::int / 6, 100)) n`,
};

/** Statistics are gathered once, after the fill: others would make other plans. */
const WITHOUT_AUTOVACUUM = `DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
    EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', name);
  END LOOP; END $$`;

/** As many tenants as one account belongs to, more than are listed for it. */
const CROWD = 5000;

const FILL_CROWD = [
  `INSERT INTO tenants (id, slug, name) SELECT 'tnt_crowd' || n, 'crowd' || n, 'Crowd'
   FROM generate_series(1001, 1000 + ${CROWD}) n`,
  `INSERT INTO accounts (id, email, password_hash) VALUES ('usr_crowd', 'crowd@example.com', 'none')`,
  `INSERT INTO memberships (account_id, tenant_id, role) SELECT 'usr_crowd', id, 'viewer' FROM tenants
   WHERE id LIKE 'tnt_crowd%'`,
  `INSERT INTO memberships (account_id, tenant_id, role) SELECT a.id, t.id, 'viewer'
   FROM (SELECT id FROM accounts WHERE id LIKE 'usr_%29__' LIMIT 20) a, tenants t WHERE t.id LIKE 'tnt_crowd1___'`,
  `INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
   SELECT 'inv_' || id, id, 'ada@example.com', 'viewer', id, 'none', true, 'usr_crowd', gatehouse_now() + interval '1 day'
   FROM tenants WHERE id LIKE 'tnt_crowd%'`,
  `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
      principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
   SELECT 'key_' || t.id || n, t.id, 'secret', 'live', 'Key', '{leads:read}', 'tenant', t.id, t.id || n, 'none', 'x',
     ARRAY[t.id], nextval('issue_order'), 'test' FROM tenants t, generate_series(1, 4) n WHERE t.id LIKE 'tnt_crowd%'`,
  'INSERT INTO last_sign_ins (account_id, at) SELECT id, gatehouse_now() FROM accounts',
  `INSERT INTO resource_servers (id, identifier, canonical, name, accepts_keys, dynamic_clients, issue_seq)
   SELECT 'rsv_' || n, 'https://' || n || '.example/', 'https://' || n || '.example', 'API', true, true, n
   FROM generate_series(1, 3000) n`,
  `INSERT INTO resource_server_credentials (id, server_id, digest, digest_key_id, masked, subjects, issue_seq)
   SELECT 'rsk_' || n, 'rsv_' || n, n, 'none', 'x', '{}', n FROM generate_series(1, 3000) n`,
];

const FIRST = { limit: 25, after: undefined };

/** Lists that no route for keys answers: their names, and how each is read. */
const STORES: Readonly<
  Record<string, (of: { manager: EntityManager; tenant: string; app: TestApp }) => Promise<unknown>>
> = {
  'members of the page': ({ manager, tenant }) =>
    listMembers(manager, tenant, { search: '', after: undefined }),
  'members of the page, further': ({ manager, tenant }) =>
    listMembers(manager, tenant, { search: '', after: `usr_${tenant}5` }),
  members: ({ manager, tenant }) =>
    createAccountStore(manager).listMembers(tenant, { limit: PAGE, after: `usr_${tenant}5` }),
  'members for the operator': ({ manager, tenant }) =>
    listMembershipsOf(manager, { tenantId: tenant }, FIRST),
  'members for the operator, further': ({ manager, tenant }) =>
    listMembershipsOf(manager, { tenantId: tenant }, { ...FIRST, after: `usr_${tenant}3` }),
  'memberships for the operator': ({ manager }) =>
    listMembershipsOf(manager, { accountId: 'usr_crowd' }, FIRST),
  'memberships for the operator, further': ({ manager }) =>
    listMembershipsOf(manager, { accountId: 'usr_crowd' }, { ...FIRST, after: 'tnt_crowd2000' }),
  administrators: ({ manager, tenant }) =>
    createAccountStore(manager).listAdministrators(tenant, 3),
  memberships: ({ manager, tenant }) =>
    createAccountStore(manager).listMemberships(`usr_${tenant}2`, tenant),
  invitations: ({ manager, tenant, app }) =>
    createInvitationStore(manager, app.keyring, app.format).list(tenant),
  sessions: ({ manager, tenant, app }) =>
    createSessionStore(manager, app.keyring).listOfAccount(`usr_${tenant}2`),
  clients: ({ manager }) => createClientStore(manager).list({ limit: PAGE }),
  'clients, further': ({ manager, tenant }) =>
    createClientStore(manager).list({
      limit: PAGE,
      after: { createdAt: '2001-01-01 00:00:00+00', id: `cli_${tenant}1` },
    }),
  'blocked apps': ({ manager, tenant }) =>
    createClientStore(manager).listBlockedBy(tenant, { limit: 25, after: undefined }),
  'tenants that block': ({ manager, tenant }) =>
    createClientStore(manager).listBlockingTenants(`cli_${tenant}1`, { limit: PAGE }),
  tenants: ({ manager }) =>
    createTenantStore(manager).list({ ...FIRST, after: 'crowd2500', order: 'slug' }),
  'resource servers': ({ manager }) =>
    createResourceServerStore(manager).list({ limit: PAGE, after: 'https://2' }),
  'credentials of a resource server': ({ manager }) =>
    createResourceServerStore(manager).listCredentials('rsv_77'),
};

/** The routes that answer pages, with the test that reads the plans of each. */
const PAGES: Readonly<
  Record<string, 'here' | 'audit-plans' | 'grant-list-plans' | 'key-list-plan'>
> = {
  '/api-keys': 'here',
  '/audit-log': 'audit-plans',
  '/blocked-apps': 'here',
  '/connected-apps': 'grant-list-plans',
  '/contacts': 'here',
  '/personal-access-tokens': 'key-list-plan',
  '/products': 'here',
  '/spaces': 'here',
};

describe('a page of a list in a hostile table', () => {
  const gatehouse = useGatehouse();
  const keys = new Map<string, TestKey>();
  const tenants = new Map<string, string>();
  beforeAll(async () => {
    await gatehouse.database.query(WITHOUT_AUTOVACUUM);
    for (const [slug, rows] of SHARES) {
      const tenant = await gatehouse.createTenant(slug);
      keys.set(slug, await gatehouse.createKey(tenant));
      for (const fill of Object.values(FILL)) {
        await gatehouse.database.query(fill, [tenant.id, rows]);
      }
      tenants.set(slug, tenant.id);
    }
    for (const fill of FILL_CROWD) await gatehouse.database.query(fill);
    // All rows are sampled, so that the plans are the same in every run.
    await gatehouse.database.query('SET default_statistics_target = 10000; ANALYZE');
  }, 120_000);

  const read = (slug: string, query: string) =>
    gatehouse.http.get(`/api/v1/${query}`).set(keys.get(slug)?.bearer ?? {});
  const deep = async (slug: string, path: string) => {
    let cursor = '';
    for (let page = 0; page < 2; page += 1) {
      const answer = await read(slug, `${path}${path.includes('?') ? '&' : '?'}limit=100${cursor}`);
      const next: string | null = answer.body.meta.pagination.cursor;
      if (next === null) break;
      cursor = `&cursor=${next}`;
    }
    return cursor;
  };

  it('has a test of its plans for every route that answers pages', () => {
    const { apiRoutes, sessionRoutes } = gatehouse.app;
    const pages = [...apiRoutes, ...sessionRoutes]
      .filter(({ query }) => query !== undefined && 'cursor' in query.shape)
      .map(({ path }) => path);
    expect([...new Set(pages)].toSorted()).toEqual(Object.keys(PAGES));
  });

  it.each(Object.keys(STORES))('the list of %s reads index ranges of its size', async (list) => {
    const { manager } = gatehouse.dataSource;
    for (const tenant of tenants.values()) {
      const statements = await recordStatements('list-', async () =>
        STORES[list]?.({ manager, tenant, app: gatehouse }),
      );
      expect(statements).toHaveLength(1);
      for (const statement of statements) {
        for (const scan of await scansOf(gatehouse.database, statement)) {
          // Those of a member's apps and tokens are counted, up to a bound.
          const isCounted = list.startsWith('members of') && scan.loops > 1;
          if (scan.by.startsWith('CTE') || scan.by.startsWith('Subquery')) continue;
          expect({ list, ...scan, most: isCounted ? PAGE + 1000 : 100 }).toMatchObject({
            by: expect.not.stringMatching(/Seq Scan/),
          });
          expect(scan.rows).toBeLessThanOrEqual(isCounted ? 2 * (PAGE + 1000) : 100);
        }
      }
    }
  });

  it.each([
    ['tenantId', 'account_id', (): string => tenants.get('half') ?? ''],
    ['accountId', 'tenant_id', (): string => 'usr_crowd'],
  ] as const)('memberships for the operator by %s continue within it', async (by, other, id) => {
    const { manager } = gatehouse.dataSource;
    const [own, owner] = [by === 'tenantId' ? 'tenant_id' : 'account_id', id()];
    const read = async (after: string | undefined) => {
      const which = by === 'tenantId' ? { tenantId: owner } : { accountId: owner };
      const found = await listMembershipsOf(manager, which, { limit: 25, after });
      expect(found.every((one) => one[by] === owner)).toBe(true);
      return found.map(({ accountId, tenantId }) => (by === 'tenantId' ? accountId : tenantId));
    };
    const rows = await gatehouse.database.query<{ id: string }>(
      `SELECT ${other} AS id FROM memberships WHERE ${own} = $1 ORDER BY ${other} DESC`,
      [owner],
    );
    const all = rows.map((row) => row.id);
    expect(await read(undefined)).toEqual(all.slice(0, PAGE));
    expect(await read(all[24])).toEqual(all.slice(25, 25 + PAGE));
    expect(await read(all.at(-3))).toEqual(all.slice(-2));
    expect(await read(all.at(-1))).toEqual([]);
  });

  it('reads a bounded number of memberships, and always the one in the named tenant', async () => {
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    for (const named of ['tnt_crowd1001', 'crowd1001', '\0', '']) {
      const statements = await recordStatements('list-', async () => {
        const found = await accounts.listMemberships('usr_crowd', named);
        const isOldest = named.endsWith('1001');
        expect(found).toHaveLength(MAX_LISTED_MEMBERSHIPS + (isOldest ? 1 : 0));
        expect(found.some(({ tenantId }) => tenantId === 'tnt_crowd1001')).toBe(isOldest);
      });
      for (const statement of statements) {
        for (const scan of await scansOf(gatehouse.database, statement)) {
          if (scan.of !== 'memberships') continue;
          expect(scan.by).toMatch(/_pkey$|_listed$/);
          expect(scan.rows).toBeLessThanOrEqual(MAX_LISTED_MEMBERSHIPS);
        }
      }
    }
    expect(await accounts.listMemberships('usr_crowd', 'fifth')).toHaveLength(
      MAX_LISTED_MEMBERSHIPS,
    );
  });

  it.each(['fifth', 'half', 'small', 'newer'])(
    'GET /api-keys of the tenant %s is one statement over index ranges of the size of the page',
    async (slug) => {
      for (const filter of ['', 'environment=test&', 'kind=secret&', 'kind=publishable&']) {
        const path = filter === '' ? 'api-keys' : `api-keys?${filter.slice(0, -1)}`;
        for (const after of new Set(['', await deep(slug, path)])) {
          const query = `api-keys?${filter}limit=25${after}`;
          const statements = await recordStatements('list-', () => read(slug, query));
          expect(statements).toHaveLength(1);
          for (const statement of statements) {
            for (const scan of await scansOf(gatehouse.database, statement)) {
              expect({ query, ...scan }).toMatchObject({
                by: expect.stringMatching(/_listed|_in_order|_pkey$/),
              });
              // A narrowed list has a range for each kind that has keys, in each environment.
              expect(scan.rows).toBeLessThanOrEqual(filter === '' ? PAGE : PAGE * 2);
            }
          }
        }
      }
    },
  );

  describe.each(['fifth', 'half', 'small', 'newer'])('in the tenant %s', (slug) => {
    it.each([
      'contacts',
      'contacts?type=vendor',
      'contacts?dateFrom=2000-01-01',
      'contacts?dateTo=9999-12-31',
      'contacts?type=vendor&dateFrom=2000-01-01&dateTo=9999-12-31',
      'products',
      'spaces',
    ])('GET /%s reads index ranges of the size of the page', async (path) => {
      const cursor = await deep(slug, path);
      for (const after of new Set(['', cursor])) {
        const query = `${path}${path.includes('?') ? '&' : '?'}limit=25${after}`;
        const statements = await recordStatements('list-', () => read(slug, query));
        expect(statements).toHaveLength(1);
        for (const statement of statements) {
          const scans = await scansOf(gatehouse.database, statement);
          expect(scans.length).toBeGreaterThan(0);
          for (const scan of scans) {
            expect({ query, ...scan }).toMatchObject({
              by: expect.stringMatching(/_listed|_pkey$|^spaces_of_tenant$/),
            });
            expect(scan.rows).toBeLessThanOrEqual(PAGE);
          }
        }
      }
    });
  });
});
