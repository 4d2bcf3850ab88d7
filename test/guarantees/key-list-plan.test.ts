import { beforeAll, describe, expect, it } from '@jest/globals';

import { readBoard, type BoardFilter } from '../../src/console/keys/key-board.js';
import { MAX_EXAMINED } from '../../src/credentials/store/credential-candidates.js';
import { listStatement } from '../../src/credentials/store/credential-list.js';
import type { CredentialFilter } from '../../src/credentials/store/credential-list.js';
import { ENVIRONMENTS, TENANT_KINDS } from '../../src/credentials/kinds.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { recordStatements, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly Plan[];
}

const NO_FILTER = {
  environment: 'live',
  accountId: undefined,
  status: undefined,
  search: undefined,
  scope: undefined,
  space: undefined,
  creator: undefined,
  unusedDays: undefined,
} as const;

/** As many keys lie before those that are asked for. */
const CROWD = 90_000;

describe('a page of keys in a tenant with many keys of another kind', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let test: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    test = await gatehouse.createKey(tenant, { name: 'Test', environment: 'test' });
    await gatehouse.database.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
         principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by, metadata)
       SELECT 'key_' || n, $1, CASE WHEN n % 3 = 0 THEN 'personal' ELSE 'secret' END, 'live', 'Crowd',
         '{leads:read}', CASE WHEN n % 3 = 0 THEN 'user' ELSE 'tenant' END, 'usr_' || n % 100,
         'digest ' || n, 'none', 'x', ARRAY['key_' || n, $1], nextval('issue_order'), 'test',
         CASE WHEN n % 5 = 0 THEN jsonb_build_object('plan', 'pro', 'seats', 5, 'number', n) END
       FROM generate_series(1, $2::int) AS n`,
      [tenant.id, CROWD],
    );
    await gatehouse.database.query(
      'INSERT INTO credential_uses (credential_id, used_at) SELECT id, gatehouse_now() FROM credentials',
    );
    await gatehouse.database.query('ANALYZE credentials, credential_uses');
  }, 60_000);

  async function planOf(
    filter: Partial<CredentialFilter>,
    way: 'range' | 'index' = 'range',
  ): Promise<Plan> {
    const all = { kinds: TENANT_KINDS, environments: ENVIRONMENTS, ...filter };
    const page = { limit: 25, after: undefined };
    const { text, values } = listStatement(tenant.id, all, page, way);
    const [row] = await gatehouse.database.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      [...values],
    );
    if (row === undefined) throw new Error('no plan');
    return row['QUERY PLAN'][0].Plan;
  }
  const nodesOf = (plan: Plan): readonly Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
  const blocksOf = (plan: Plan) => plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  const keysRead = (plan: Plan) =>
    nodesOf(plan).filter((node) => node['Relation Name'] === 'credentials');

  it.each<[string, Partial<CredentialFilter>]>([
    ['of both environments', {}],
    ['of the test environment', { environments: ['test'] }],
    ['of one kind', { kinds: ['publishable'] }],
    ['of one kind of the test environment', { kinds: ['secret'], environments: ['test'] }],
  ])('%s reads no more than itself', async (_what, filter) => {
    const plan = await planOf(filter);

    for (const scan of keysRead(plan)) {
      expect(scan['Node Type']).toMatch(/^Index/);
      expect(scan['Actual Rows'] * scan['Actual Loops']).toBeLessThanOrEqual(26 * 10);
    }
    expect(blocksOf(plan)).toBeLessThan(600);
  });

  it.each([undefined, 40_000])('reads only its rows of an account, after %s', async (after) => {
    const filter = { kinds: ['personal'], environments: ENVIRONMENTS, accountId: 'usr_3' } as const;
    const statement = listStatement(tenant.id, filter, { limit: 25, after });
    const scans = await scansOf(gatehouse.database, statement);
    for (const scan of scans.filter(({ of }) => of === 'credentials')) {
      expect(scan.by).toMatch(/_of_account$|_pkey$/);
      expect(scan.rows).toBeLessThanOrEqual(26);
    }
  });

  it.each<[string, Partial<CredentialFilter>]>([
    ['a search', { search: 'nothing is called so' }],
    ['a status', { status: 'revoked' }],
    ['spaces', { spaces: ['spc_01ARZ3NDEKTSV4RRFFQ69G5FAV'] }],
    ['unused days', { unusedDays: 30_000 }],
    ['metadata of many', { metadata: { plan: 'pro' } }],
    ['metadata of none', { metadata: { plan: 'none' } }],
  ])('narrowed by %s examines a bounded number of keys, one by one', async (_what, filter) => {
    const all = { kinds: TENANT_KINDS, environments: ENVIRONMENTS, ...filter };
    const statement = listStatement(tenant.id, all, { limit: 25, after: undefined });
    const scans = await scansOf(gatehouse.database, statement);
    // Two plans, which find the keys of the range and then read them.
    expect(scans.filter(({ of }) => of === 'credentials')).toHaveLength(4);
    for (const scan of scans) {
      if (!['credentials', 'credential_uses'].includes(scan.of)) continue;
      expect(scan.by).toMatch(/_in_order$|_pkey$/);
      expect(scan.rows).toBeLessThanOrEqual(MAX_EXAMINED);
    }
  });

  it.each<[string, Record<string, string>, number]>([
    ['a common and a rare number', { seats: '5', number: '44000' }, 1],
    ['a rare and a common number', { number: '44000', seats: '5' }, 1],
    ['common members that no key has together', { plan: 'pro', seats: '6' }, 0],
  ])('by the index of metadata, reads only the keys with %s', async (_what, metadata, rows) => {
    const scans = keysRead(await planOf({ metadata }, 'index'));

    expect(scans.map((scan) => scan['Node Type'])).toEqual(['Bitmap Heap Scan', 'Index Scan']);
    expect(scans[0]).toMatchObject({ 'Actual Rows': rows });
    expect(scans[0]?.['Rows Removed by Filter'] ?? 0).toBe(0);
  });

  it.each<[string, Partial<BoardFilter>, number]>([
    ['without a filter', {}, 501],
    ['by status', { status: 'revoked' }, 501],
    ['by a search', { search: 'nothing is called so' }, MAX_EXAMINED],
    ['by scope', { scope: 'contacts:delete' }, MAX_EXAMINED],
    ['by space', { space: 'spc_01ARZ3NDEKTSV4RRFFQ69G5FAV' }, MAX_EXAMINED],
    ['by creator', { creator: 'usr_nobody' }, MAX_EXAMINED],
    ['by unused days', { unusedDays: 30_000 }, MAX_EXAMINED],
  ])(
    'in the console, %s, examines a bounded number of keys, one by one',
    async (_how, by, most) => {
      const filter = { ...NO_FILTER, tenantId: tenant.id, ...by };
      const statements = await recordStatements('console-keys', () =>
        readBoard(gatehouse.dataSource.manager, filter, TENANT_KINDS, {}),
      );
      expect(statements).toHaveLength(1);
      for (const statement of statements) {
        for (const scan of await scansOf(gatehouse.database, statement)) {
          if (!['credentials', 'credential_uses'].includes(scan.of)) continue;
          expect(scan).toMatchObject({ by: expect.stringMatching(/_listed$|_pkey$|_replaced$/) });
          expect(scan.rows).toBeLessThanOrEqual(most);
        }
      }
    },
  );

  it('continues after its last key until every key was listed', async () => {
    const admin = await gatehouse.createKey(tenant, { name: 'Admin' });
    const found: string[] = [];
    let [cursor, pages] = ['', 0];
    do {
      const query = `search=test&limit=100${cursor && `&cursor=${cursor}`}`;
      const answer = await gatehouse.http.get(`/api/v1/api-keys?${query}`).set(admin.bearer);
      expect(answer.status).toBe(200);
      found.push(...(answer.body.data as { id: string }[]).map(({ id }) => id));
      const { pagination } = answer.body.meta;
      expect(pagination.has_more).toBe(pagination.cursor !== null);
      cursor = pagination.cursor ?? '';
      pages += 1;
    } while (cursor !== '' && pages < 100);

    expect(found).toEqual([test.id]);
    expect(pages).toBe(Math.ceil((CROWD * 2) / 3 / MAX_EXAMINED) + 1);
  });
});
