import { beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const HOSTILE = [
  '=HYPERLINK("https://evil.example","x")',
  '+1+1',
  '-2+3',
  '@SUM(A1)',
  '\t=1',
  '  =1',
  '\r=1',
  '＝1',
  'a,"b"\r\nc',
  'Ünïcode عربي 🙂',
];

/** Reads RFC 4180. */
function parse(csv: string): string[][] {
  const rows: string[][] = [];
  for (const line of csv.split(/(?<=")\r\n(?=")/)) {
    rows.push(
      [...line.matchAll(/"((?:[^"]|"")*)"(?:,|\r\n|$)/g)].map(([, field = '']) =>
        field.replaceAll('""', '"'),
      ),
    );
  }
  return rows;
}

describe('GET /api/v1/audit-log/exports', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let reader: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    reader = await gatehouse.createKey(tenant, { name: 'Reader', scopes: ['audit:read'] });
    const stranger = await gatehouse.createTenant('other');
    await gatehouse.database.query(
      `INSERT INTO audit_log (tenant_id, actor, action, subject, details, at)
       SELECT $1, 'operator', 'test.hostile', 'x', jsonb_build_object('name', name), gatehouse_now() - interval '1 second' * n
       FROM unnest($2::text[]) WITH ORDINALITY AS given (name, n)`,
      [tenant.id, HOSTILE],
    );
    await gatehouse.database.query(
      `INSERT INTO audit_log (tenant_id, actor, action, subject, at)
       SELECT t.id, 'operator', 'test.many', t.slug || n, gatehouse_now() - interval '1 second' * (n / 3)
       FROM tenants t, generate_series(1, 12000) n WHERE t.id = ANY ($1::text[])`,
      [[tenant.id, stranger.id]],
    );
    // More than the buffers of a connection hold, which grow to 10 MB.
    await gatehouse.database.query(
      `INSERT INTO audit_log (tenant_id, actor, action, subject, details)
       SELECT $1, 'operator', 'test.large', 'x', jsonb_build_object('text', repeat('x', 8000))
       FROM generate_series(1, 4000)`,
      [tenant.id],
    );
  });

  const read = (query: string) =>
    gatehouse.http
      .get(`/api/v1/audit-log/exports${query}`)
      .set(reader.bearer)
      .buffer(true)
      .parse((response, done) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => done(null, Buffer.concat(chunks).toString()));
      });

  it('sends CSV whose cells no spreadsheet takes for a formula', async () => {
    const answer = await read('?format=csv&action=test.hostile');

    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': expect.stringMatching(
        /^attachment; filename="audit-log-[\d-]+\.csv"$/,
      ),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const [head = [], ...rows] = parse(answer.body);
    expect(head).toContain('objectName');
    const names = rows.map((row) => row[head.indexOf('objectName')] ?? '');
    expect(names).toEqual(HOSTILE.map((name) => (/^\s*[=+\-@＝]/.test(name) ? `'${name}` : name)));
    for (const row of rows) expect(row).toHaveLength(head.length);
  });

  it('sends JSON lines as the list shows entries, all of the tenant and no other', async () => {
    const answer = await read('?format=jsonl&action=test.many');
    expect(answer.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
    const lines = (answer.body as string)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(new Set(lines.map(({ object }) => object.id)).size).toBe(12_000);
    expect(lines.every(({ object }) => object.id.startsWith('acme'))).toBe(true);
    const list = await gatehouse.http
      .get('/api/v1/audit-log?action=test.many&limit=3')
      .set(reader.bearer);
    expect(lines.slice(0, 3)).toEqual(list.body.data);
    const times = lines.map(({ createdAt }) => createdAt);
    expect(times).toEqual(times.toSorted().toReversed());
  });

  it('has the filters of the list, searches beyond what one page examines, and may be empty', async () => {
    expect((await read('?format=jsonl&action=test.many&address=192.0.2.9')).body).toBe('');
    expect(parse((await read('?action=nothing')).body)).toHaveLength(1);
    expect((await read('?format=xml')).status).toBe(422);
    expect((await read('?limit=3')).status).toBe(422);
  });

  it('costs 20 units and answers HEAD without a file', async () => {
    const head = await gatehouse.http.head('/api/v1/audit-log/exports').set(reader.bearer);
    expect([head.status, head.headers['content-type']]).toEqual([
      200,
      'text/csv; charset=utf-8; header=present',
    ]);
  });

  it('stops reading when the client leaves, and runs two at a time for a tenant', async () => {
    const start = () => {
      const sent = request(`${gatehouse.origin}/api/v1/audit-log/exports?format=jsonl`, {
        headers: reader.bearer,
      });
      sent.on('error', () => undefined);
      const answered = new Promise<void>((resolve) => {
        // Not read: what the server may send ahead is full soon.
        sent.on('response', (response) => {
          response.pause();
          resolve();
        });
      });
      sent.end();
      return { sent, answered };
    };
    const running = [start(), start()];
    await Promise.all(running.map(({ answered }) => answered));

    const third = await read('');
    expect(third.status).toBe(429);
    expect(third.headers['retry-after']).toBe('10');
    for (const { sent } of running) sent.destroy();
    await until(async () => (await read('?action=nothing')).status === 200, {
      withinMs: 5000,
      what: 'the exports end',
    });
    const [row] = await gatehouse.database.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM pg_stat_activity
       WHERE datname = current_database() AND state = 'idle in transaction'`,
    );
    expect(row).toEqual({ open: 0 });
  });
});
