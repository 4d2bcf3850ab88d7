import { beforeAll, describe, expect, it } from '@jest/globals';

import { INDEX_ORDER } from '../../src/audit-log/entry-store.js';
import { createEventFeed } from '../../src/events/index.js';
import { type TestKey } from '../support/app/app.js';
import { recordStatements, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** More than a page of 25, for the one row that tells of more. */
const PAGE = 26;
/** Entries that a page examines for filters that no index covers. */
const EXAMINED = 10_000;

/** Entries of several tenants in one table, over three partitions; the newest are another tenant's. */
const SHARES = [
  ['half', 24_000],
  ['fifth', 9_000],
  ['small', 60],
  ['newer', 12_000],
] as const;

const FILL = `INSERT INTO audit_log (tenant_id, actor, action, subject, address, request_id, at)
  SELECT $1, CASE WHEN n % 1000 = 0 THEN 'usr_rare' ELSE 'operator' END,
    CASE WHEN n % 1000 = 0 THEN 'test.rare' ELSE 'credential.refused' END,
    'key_' || n % 500, '192.0.2.' || n % 200, CASE WHEN n % 2 = 0 THEN 'req_' || n END,
    gatehouse_now() - interval '70 days' * ($2::int - n) / $2::int - $3 * interval '1 second'
  FROM generate_series(1, $2::int) n`;

describe('a page of the audit log in a hostile table', () => {
  const gatehouse = useGatehouse();
  const keys = new Map<string, TestKey>();
  beforeAll(async () => {
    for (const [index, [slug, rows]] of SHARES.entries()) {
      const tenant = await gatehouse.createTenant(slug);
      keys.set(slug, await gatehouse.createKey(tenant));
      await gatehouse.database.query(FILL, [tenant.id, rows, SHARES.length - index]);
    }
    await gatehouse.database.query('ANALYZE');
  });

  const read = (slug: string, query: string) =>
    gatehouse.http.get(`/api/v1/audit-log?${query}`).set(keys.get(slug)?.bearer ?? {});

  async function scansFor(slug: string, query: string) {
    const statements = await recordStatements('', () => read(slug, query).expect(200));
    const sent = statements.filter(({ name }) => /^(list|search|examined)-audit/.test(name));
    const scans = await Promise.all(
      sent.map((each) => scansOf(gatehouse.database, each, INDEX_ORDER)),
    );
    // A partition without a row may be read by any plan.
    return { count: sent.length, scans: scans.flat().filter(({ rows }) => rows > 0) };
  }

  describe.each(['half', 'fifth', 'small'])('in the tenant %s', (slug) => {
    it.each([
      '',
      'from=2000-01-01',
      'to=9999-12-31',
      'action=test.rare',
      'action=test.rare&from=2000-01-01&to=9999-12-31',
      'actor=usr_rare',
      'object=key_7',
      'requestId=req_40',
    ])('with ?%s is one range of an index, at any depth', async (query) => {
      const { body } = await read(slug, `${query}&limit=20`);
      const { cursor } = body.meta.pagination;
      for (const after of cursor === null ? [''] : ['', `&cursor=${cursor}`]) {
        const { count, scans } = await scansFor(slug, `${query}${after}`);
        expect(count).toBe(1);
        for (const scan of scans) {
          expect({ query, ...scan }).toMatchObject({
            by: expect.stringMatching(
              /_listed$|_of_(subject|actor|action|request)$|_tenant_id_.*at_id_idx$/,
            ),
          });
        }
        expect(scans.filter(({ rows }) => rows > PAGE)).toEqual([]);
      }
    });

    it('examines a bounded number of entries for filters without an index', async () => {
      for (const query of ['address=203.0.113.1', 'result=success', 'actor=usr_rare&action=none']) {
        const { scans } = await scansFor(slug, query);
        for (const { by, rows } of scans) {
          expect(by).not.toMatch(/^audit_log_(until_)?\d+$/);
          expect(rows).toBeLessThanOrEqual(EXAMINED);
        }
      }
    });
  });

  it('reads a page of the feed of events by one range of an index', async () => {
    const { manager } = gatehouse.dataSource;
    const feed = createEventFeed(manager);
    let position = (await feed.read(undefined, { types: [], tenantId: undefined }, 100)).position;
    const beginnings = ['events-from-start', 'events-since'];
    for (const beginning of beginnings) {
      const filter = { types: [], tenantId: undefined };
      const [sent, ...others] = await recordStatements('events-', async () => {
        await feed.read(position, filter, 100);
      });
      expect([sent?.name, others]).toEqual([beginning, []]);
      if (sent === undefined) throw new Error('nothing was sent');
      for (const { by, rows } of await scansOf(gatehouse.database, sent, INDEX_ORDER)) {
        if (rows > 0 && by !== 'examined' && by !== 'found') expect(by).toMatch(/xid/);
        expect(rows).toBeLessThanOrEqual(101);
      }
      position = await feed.present();
      await gatehouse.database.query(FILL, [null, 500, 0]);
    }
  });
});
