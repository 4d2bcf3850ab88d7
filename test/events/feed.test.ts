import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestApp, type TestApp } from '../support/app/app.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { whenSettled } from '../support/app/settled.js';

interface Event {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
}

const INSERT = `INSERT INTO audit_log (tenant_id, action, subject, actor, details)
  VALUES ($1, $2, $3, 'operator', '{"name":"Test"}')`;

describe('the feed of events', () => {
  let gatehouse: TestApp;
  let send: ReturnType<typeof operatorSender>;
  let pool: pg.Pool;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    send = operatorSender(gatehouse, await createOperatorKey(gatehouse));
    pool = new pg.Pool({ connectionString: gatehouse.database.url, max: 30 });
    // The database is dropped before the last connection is gone.
    pool.on('error', () => undefined);
  });
  afterAll(async () => {
    await pool.end();
    await gatehouse.close();
  });

  const insert = (connection: pg.Pool | pg.PoolClient, subject: string, type = 'test.noted') =>
    connection.query(INSERT, [null, type, subject]);

  async function page(query: Record<string, string>) {
    const { body, status } = await send('get', `events?${new URLSearchParams(query).toString()}`);
    expect([status, body.detail]).toEqual([200, undefined]);
    const { cursor, has_more: hasMore } = body.meta.pagination;
    return { events: body.data as Event[], cursor: cursor as string, hasMore: hasMore as boolean };
  }

  /** Everything behind a cursor, or from the start. */
  async function readAll(after?: string, query: Record<string, string> = {}) {
    const events: Event[] = [];
    for (let cursor = after; ;) {
      const read = await page({
        limit: '7',
        ...query,
        ...(cursor !== undefined && { after: cursor }),
      });
      events.push(...read.events);
      ({ cursor } = read);
      if (!read.hasMore) return { events, cursor: read.cursor };
    }
  }
  const subjects = (events: readonly Event[]) => events.map(({ subject }) => subject);

  it('has every entry of the audit log, oldest first, with the id of the entry', async () => {
    const { id } = await gatehouse.createTenant('acme');
    const created = await send('patch', `tenants/${id}`, { name: 'Acme Ltd' });
    expect(created.status).toBe(200);
    await whenSettled(gatehouse.database);
    const { events } = await readAll();
    const { body } = await send('get', 'audit-log?limit=100');
    const entries = body.data as { id: string; action: string }[];
    expect(events.map(({ id: event }) => event)).toEqual(entries.map((each) => each.id).reverse());
    expect(events.at(-1)).toEqual({
      id: expect.stringMatching(/^evt_/),
      type: 'tenant.update',
      subject: id,
      tenant: id,
      actor: expect.stringMatching(/^opk_/),
      time: expect.stringMatching(/Z$/),
      details: body.data[0].details,
    });
  });

  it('sends what commits late, beside a transaction that stays open, and each event once', async () => {
    await whenSettled(gatehouse.database);
    const { cursor: start } = await readAll();
    const long = await pool.connect();
    await long.query('BEGIN');
    await insert(long, 'long');
    await insert(pool, 'short');
    // The open transaction does not hold up the others.
    const first = await readAll(start);
    expect(subjects(first.events)).toEqual(['short']);
    let { cursor } = first;
    const seen = [...first.events];
    const writers = Array.from({ length: 20 }, async (_, writer) => {
      for (let round = 0; round < 4; round += 1) {
        const connection = await pool.connect();
        await connection.query('BEGIN');
        await insert(connection, `${writer}-${round}-a`);
        await connection.query('SELECT pg_sleep(random() * 0.02)');
        await insert(connection, `${writer}-${round}-b`);
        await connection.query(round === 3 ? 'ROLLBACK' : 'COMMIT');
        connection.release();
      }
    });
    let isWriting = true;
    const written = Promise.all(writers).finally(() => (isWriting = false));
    while (isWriting) {
      const next = await readAll(cursor);
      seen.push(...next.events);
      ({ cursor } = next);
    }
    await written;
    await long.query('COMMIT');
    long.release();
    seen.push(...(await readAll(cursor)).events);
    const expected = Array.from({ length: 20 }, (_, writer) =>
      [0, 1, 2].flatMap((round) => [`${writer}-${round}-a`, `${writer}-${round}-b`]),
    ).flat();
    expect(subjects(seen).toSorted()).toEqual([...expected, 'short', 'long'].toSorted());
    // An old cursor is valid still.
    expect(subjects((await readAll(start)).events).toSorted()).toEqual(subjects(seen).toSorted());
  });

  it('filters by types and tenant, and keeps its place when the filter changes', async () => {
    await whenSettled(gatehouse.database);
    const { cursor: start } = await readAll();
    const tenant = await gatehouse.createTenant('filtered');
    await send('patch', `tenants/${tenant.id}`, { name: 'Filtered' });
    await insert(pool, 'one', 'api_key.create');
    await insert(pool, 'two', 'api_key.update');
    await insert(pool, 'three', 'api_keys.other');
    const ofTypes = (types: string) =>
      readAll(start, { types }).then(({ events }) => subjects(events));
    expect(await ofTypes('api_key.*')).toEqual(['one', 'two']);
    expect(await ofTypes('api_key.update,tenant.update')).toEqual([tenant.id, 'two']);
    expect((await ofTypes('*')).length).toBeGreaterThan(3);
    const narrow = await page({ after: start, types: 'api_key.create' });
    expect(subjects(narrow.events)).toEqual(['one']);
    const own = await readAll(start, { tenantId: 'filtered' });
    expect(own.events.map(({ type }) => type)).toEqual(['tenant.update']);
    expect(own.events.every((each) => 'tenant' in each && each.tenant === tenant.id)).toBe(true);
    expect(await readAll(narrow.cursor)).toMatchObject({ events: [] });
  });

  it('skips nothing for readers who continue from the id of the last event', async () => {
    await whenSettled(gatehouse.database);
    const { events: all } = await readAll();
    const start = all.at(-1)?.id ?? '';
    const long = await pool.connect();
    await long.query('BEGIN');
    await insert(long, 'late');
    await insert(pool, 'early');
    const seen: Event[] = [];
    const readOn = async () => {
      for (;;) {
        const { events } = await page({ limit: '3', after: seen.at(-1)?.id ?? start });
        if (events.length === 0) return;
        seen.push(...events);
      }
    };
    await readOn();
    await long.query('COMMIT');
    long.release();
    await whenSettled(gatehouse.database);
    await readOn();
    expect(subjects(seen)).toEqual(['late', 'early']);
  });

  it('accepts the id of an event, and refuses other cursors', async () => {
    const { events } = await page({ limit: '3' });
    const second = events[1]?.id ?? '';
    expect((await page({ limit: '1', after: second })).events[0]?.id).toBe(events[2]?.id);
    const { cursor } = await readAll();
    for (const after of [
      `${cursor}x`,
      'evt_01M7XDXM196WXM1ABP0DNE71TS',
      'evt_x',
      '1.2',
      'x'.repeat(9000),
    ]) {
      expectProblem(await send('get', `events?after=${after}`), 400, 'bad_request');
    }
    expectProblem(await send('get', `events?after=${cursor}&cursor=${cursor}`), 400, 'bad_request');
    expectInvalid(await send('get', 'events?types=DROP'), ['types']);
    expectProblem(await send('get', 'events?tenantId=none'), 404, 'not_found');
    expect((await page({ after: '', limit: '3' })).events).toEqual(events);
  });

  it('has events that were restored from another cluster', async () => {
    const { cursor } = await readAll();
    const restored = `INSERT INTO audit_log (action, subject, actor, xid)
      VALUES ('test.restored', 'restored', 'operator', '900000000000')`;
    await gatehouse.database.query(restored);
    expect(subjects((await readAll()).events)).toContain('restored');
    expect((await readAll(cursor)).events).toEqual([]);
  });
});
