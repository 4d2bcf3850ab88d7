import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp, type TestKey } from '../support/app/app.js';
import { recordStatements, scansOf } from '../support/database/plans.js';

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
    SELECT 'usr_' || $1 || n, $1, 'manager' FROM generate_series(1, $2::int / 10) n`,
};

describe('a page of a list in a hostile table', () => {
  let gatehouse: TestApp;
  const keys = new Map<string, TestKey>();
  beforeAll(async () => {
    gatehouse = await createTestApp();
    for (const [slug, rows] of SHARES) {
      const tenant = await gatehouse.createTenant(slug);
      keys.set(slug, await gatehouse.createKey(tenant));
      for (const fill of Object.values(FILL)) {
        await gatehouse.database.query(fill, [tenant.id, rows]);
      }
    }
    await gatehouse.database.query('ANALYZE');
  });
  afterAll(() => gatehouse.close());

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
                by: expect.stringMatching(/_listed|_pkey$/),
              });
              // One range for each kind that has keys, in each environment.
              expect(scan.rows).toBeLessThanOrEqual(PAGE * 2);
            }
          }
        }
      }
    },
  );

  describe.each(['fifth', 'half', 'small', 'newer'])('of the tenant %s', (slug) => {
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
