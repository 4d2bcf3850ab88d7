import { beforeAll, describe, expect, it } from '@jest/globals';

import { BY_METADATA_INDEX, MAX_EXAMINED } from '../../src/http/annotated-list.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { recordStatements, type Scan, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** More than a page of 25 and the one row that tells of more. */
const PAGE = 26;

/** Accounts and tenants, the newest last. */
const ROWS = 60_000;

/** All but the newest have `plan`, every other one `side`, every 2,000th of the older half `rare`. */
const METADATA = `CASE WHEN n <= 50000 THEN jsonb_build_object('plan', 'pro', 'seats', n % 9)
    || CASE WHEN n % 2 = 0 THEN '{"side": "even"}'::jsonb ELSE '{}' END
    || CASE WHEN n % 2000 = 0 AND n <= 30000 THEN '{"rare": "yes"}'::jsonb ELSE '{}' END END`;

/** A webhook with many deliveries, older than those of many others. */
const CROWDED = 'whk_00001';

const FILL = [
  `INSERT INTO accounts (id, email, password_hash, external_id, metadata)
   SELECT 'usr_' || lpad(n::text, 6, '0'), n || '@example.com', 'none', 'u' || n, ${METADATA}
   FROM generate_series(1, ${ROWS}) n`,
  `INSERT INTO tenants (id, slug, name, external_id, metadata)
   SELECT 'tnt_' || lpad(n::text, 6, '0'), 's' || lpad(n::text, 6, '0'), 'Tenant', 't' || n, ${METADATA}
   FROM generate_series(1, ${ROWS}) n`,
  // A thousand are as many as a tenant may have.
  `INSERT INTO spaces (id, tenant_id, name, is_default, external_id, metadata)
   SELECT 'spc_' || n, 'tnt_' || lpad(greatest(n - 999, 1)::text, 6, '0'), 'Space ' || n, false, 's' || n,
     '{"plan": "pro"}' FROM generate_series(1, 20000) n`,
  // The oldest tenant has 20, as many as it may have.
  `INSERT INTO webhooks (id, tenant_id, url, types, ciphertext, ciphertext_key_id)
   SELECT 'whk_' || lpad(n::text, 5, '0'), 'tnt_' || lpad(greatest(n - 19, 1)::text, 6, '0'), 'https://a.example/', '{*}', '', 'none'
   FROM generate_series(1, 20000) n`,
  `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
   SELECT '${CROWDED}', n, gatehouse_now(), 'api_key.create', 'key_' || n FROM generate_series(1, 30000) n`,
  `INSERT INTO webhook_deliveries (webhook_id, event_id, event_at, type, subject)
   SELECT id, n, gatehouse_now(), 'api_key.create', 'key_' || n FROM webhooks, generate_series(1, 3) n`,
];

/** The routes of the operator that answer pages, with the test that reads the plans of each. */
const PAGES: Readonly<Record<string, string>> = {
  '/operator/accounts': 'here',
  '/operator/api-keys': 'key-list-plan',
  '/operator/audit-log': 'audit-plans',
  '/operator/clients': 'list-plans',
  '/operator/events': 'audit-plans',
  '/operator/grants': 'grant-list-plans',
  '/operator/memberships': 'list-plans',
  '/operator/resources': 'list-plans',
  '/operator/spaces': 'here',
  '/operator/tenants': 'here',
  '/operator/webhooks': 'here',
  '/operator/webhooks/:id/deliveries': 'here',
};

describe('a page of a list of the operator in a hostile table', () => {
  const gatehouse = useGatehouse();
  let send: ReturnType<typeof operatorSender>;
  beforeAll(async () => {
    for (const fill of FILL) await gatehouse.database.query(fill);
    await gatehouse.database.query('SET default_statistics_target = 10000; ANALYZE');
    send = operatorSender(gatehouse, await createOperatorKey(gatehouse));
  }, 120_000);

  async function read(query: string) {
    const answer = await send('get', query);
    expect([query, answer.status]).toEqual([query, 200]);
    return {
      ids: (answer.body.data as { id: string }[]).map(({ id }) => id),
      cursor: answer.body.meta.pagination.cursor as string | null,
    };
  }

  const further = (path: string, parameters: string) =>
    `${path}${path.includes('?') ? '&' : '?'}${parameters}`;

  /** The scans of the statements of a page, by the names of the statements. */
  async function scansOfPage(
    query: string,
  ): Promise<readonly (Scan & { readonly name: string })[]> {
    const statements = await recordStatements('list-', () => read(query));
    expect(statements.length).toBeGreaterThan(0);
    const scans: (Scan & { readonly name: string })[] = [];
    for (const statement of statements) {
      const isByIndex = statement.name.includes('-matching-');
      const found = await scansOf(
        gatehouse.database,
        statement,
        isByIndex ? BY_METADATA_INDEX : '',
      );
      scans.push(...found.map((scan) => ({ name: statement.name, ...scan })));
    }
    return scans;
  }

  it('has a test of its plans for every route that answers pages', () => {
    const pages = gatehouse.app.otherRoutes
      .filter(
        (route) => 'query' in route && 'cursor' in ((route.query as { shape: object }).shape ?? {}),
      )
      .map(({ path }) => path);
    expect([...new Set(pages)].toSorted()).toEqual(Object.keys(PAGES));
  });

  it.each([
    'accounts',
    'accounts?email=77@example.com',
    'accounts?externalId=u77',
    'accounts?externalId=u77&metadata[plan]=pro',
    'accounts?email=77@example.com&metadata[plan]=pro',
    'tenants',
    'tenants?order=slug',
    'tenants?externalId=t77',
    'tenants?order=slug&externalId=t77&metadata[plan]=pro',
    'spaces?tenantId=tnt_000001',
    'spaces?tenantId=tnt_000077',
    'webhooks',
    'webhooks?tenantId=tnt_000001',
    'webhooks?tenantId=tnt_000077',
    `webhooks/${CROWDED}/deliveries`,
    'webhooks/whk_00777/deliveries',
  ])('GET /operator/%s reads index ranges of the size of the page', async (path) => {
    const first = await read(further(path, 'limit=100'));
    for (const after of first.cursor === null ? [''] : ['', `&cursor=${first.cursor}`]) {
      for (const scan of await scansOfPage(further(path, `limit=25${after}`))) {
        expect(scan).toMatchObject({ by: expect.stringMatching(/_pkey$|_key$|_of_tenant$/) });
        expect(scan.rows).toBeLessThanOrEqual(PAGE);
      }
    }
  });

  it.each(['externalId=s77', 'metadata[plan]=none'])(
    'GET /operator/spaces examines the spaces of the tenant at most for %s',
    async (filter) => {
      for (const scan of await scansOfPage(`spaces?tenantId=tnt_000001&${filter}`)) {
        expect(scan).toMatchObject({ by: expect.stringMatching(/^spaces_|^Bitmap Heap Scan$/) });
        expect(scan.rows).toBeLessThanOrEqual(1000);
      }
    },
  );

  describe.each(['accounts?', 'tenants?', 'tenants?order=slug&'])('GET /operator/%s', (list) => {
    it.each([
      'metadata[plan]=pro',
      'metadata[rare]=yes',
      'metadata[plan]=none',
      // Both are common.
      'metadata[seats]=3&metadata[side]=even',
    ])('examines a bounded number of rows for %s', async (filter) => {
      for (const scan of await scansOfPage(`${list}${filter}`)) {
        expect(scan).toMatchObject({
          by: expect.stringMatching(/_pkey$|_key$|_by_metadata$|^Bitmap Heap Scan$/),
        });
        // The index of a value that many have is read, but not their rows.
        if (scan.of.endsWith('_by_metadata')) continue;
        expect(scan.rows).toBeLessThanOrEqual(MAX_EXAMINED + 1);
      }
    });

    it.each(['metadata[rare]=yes', 'metadata[plan]=pro&metadata[rare]=yes'])(
      'finds the few rows that have %s at once',
      async (filter) => {
        const rare = await read(`${list}${filter}&limit=10`);
        expect(rare.ids).toHaveLength(10);
        const rest = await read(`${list}${filter}&limit=10&cursor=${rare.cursor}`);
        expect(rest).toMatchObject({ ids: { length: 5 }, cursor: null });
        expect(new Set([...rare.ids, ...rest.ids]).size).toBe(15);
      },
    );

    it('continues to the rows that have a value of many', async () => {
      const [path, expected] = [`${list}metadata[plan]=pro&limit=100`, numbersOf(list)];
      const found: number[] = [];
      let cursor: string | null = '';
      for (let pages = 0; pages < 8 && cursor !== null; pages += 1) {
        const page = await read(`${path}${cursor === '' ? '' : `&cursor=${cursor}`}`);
        found.push(...page.ids.map((id) => Number(id.slice('usr_'.length))));
        ({ cursor } = page);
      }
      expect(found.length).toBeGreaterThanOrEqual(500);
      expect(found).toEqual(expected.slice(0, found.length));
    });
  });

  /** The numbers of the rows with `plan` in the order of the list. */
  const numbersOf = (list: string) => {
    const numbers = Array.from({ length: 50_000 }, (_, index) => index + 1);
    return list.includes('slug') ? numbers : numbers.toReversed();
  };
});
