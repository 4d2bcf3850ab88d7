import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { postContact } from '../support/app/contacts.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface ContactPage {
  readonly data: { readonly id: number }[];
  readonly meta: {
    readonly pagination: { cursor: string | null; has_more: boolean; count: number };
  };
}

const ROWS = 120;

describe('the pages of a list', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  let ids: readonly number[];
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
    const first = await postContact(gatehouse, key);
    await gatehouse.database.query(
      `INSERT INTO contacts (tenant_id, environment, space_id, type)
       SELECT tenant_id, environment, space_id, type FROM contacts, generate_series(2, $1)
       WHERE id = $2`,
      [ROWS, first.body.data.id],
    );
    const rows = await gatehouse.database.query<{ id: string }>(
      'SELECT id FROM contacts ORDER BY id DESC',
    );
    ids = rows.map(({ id }) => Number(id));
  });

  const get = (query: string, by = key, path = '/contacts') =>
    gatehouse.http.get(`/api/v1${path}${query}`).set(by.bearer);
  const page = async (query: string) => (await get(query).expect(200)).body as ContactPage;
  const cursorOf = async (query = '') => (await page(query)).meta.pagination.cursor ?? '';

  describe('cursors of an earlier release', () => {
    /** A cursor as earlier releases made it. */
    const signedAs = (position: number, ...list: readonly string[]) => {
      const text = JSON.stringify(['cursor', ...list, String(position)]);
      return `${position}.${gatehouse.keyring.sign(text)}`;
    };
    const placed = async (name: string) => {
      const [row] = await gatehouse.database.query<{ id: string }>('SELECT id FROM spaces');
      return [name, tenant.id, 'live', row?.id ?? ''];
    };

    it.each(['contacts', '/contacts'])('lead on (list %s)', async (name) => {
      const cursor = signedAs(ids[24] ?? 0, ...(await placed(name)));

      const { data } = await page(`?cursor=${cursor}`);

      expect(data.map(({ id }) => id)).toEqual(ids.slice(25, 50));
    });

    it('have the same form as ours, so that a replica of that release continues from ours', async () => {
      expect(await cursorOf()).toBe(signedAs(ids[24] ?? 0, ...(await placed('/contacts'))));
    });

    it('continue in the list of keys', async () => {
      const kinds = ['secret', 'publishable', 'service', 'agent', 'organization'];
      const lists = [
        ['api-keys', tenant.id, 'live', 'test'],
        ['credentials', tenant.id, '', ...kinds, 'live', 'test'],
      ];
      for (const list of lists) {
        const answer = await get(`?cursor=${signedAs(1_000_000, ...list)}`, key, '/api-keys');
        expect({ list, status: answer.status }).toEqual({ list, status: 200 });
      }
    });

    it('are refused in another list', async () => {
      const cursor = signedAs(ids[24] ?? 0, ...(await placed('products')));
      expectProblem(await get(`?cursor=${cursor}`), 400, 'bad_request');
    });
  });

  it.each([
    [undefined, [25, 25, 25, 25, 20]],
    [25, [25, 25, 25, 25, 20]],
    [100, [100, 20]],
    [60, [60, 60]],
  ])('with the limit %s lead through all of it, newest first', async (limit, counts) => {
    const seen: number[] = [];
    const pages: ContactPage[] = [];
    let cursor: string | null = null;
    do {
      const search = new URLSearchParams();
      if (limit !== undefined) search.set('limit', String(limit));
      if (cursor !== null) search.set('cursor', cursor);
      const answer = await page(`?${search.toString()}`);
      pages.push(answer);
      seen.push(...answer.data.map(({ id }) => id));
      cursor = answer.meta.pagination.cursor;
    } while (cursor !== null);

    expect(seen).toEqual(ids);
    expect(pages.map(({ meta }) => meta.pagination.count)).toEqual(counts);
    expect(pages.map(({ meta }) => meta.pagination.has_more)).toEqual(
      counts.map((_count, index) => index < counts.length - 1),
    );
  });

  it('may change their size between pages', async () => {
    const cursor = await cursorOf('?limit=1');

    expect((await page(`?limit=2&cursor=${cursor}`)).data.map(({ id }) => id)).toEqual(
      ids.slice(1, 3),
    );
  });

  it('neither repeat nor skip rows when others are added or deleted', async () => {
    const cursor = await cursorOf('?limit=10');
    const added = await postContact(gatehouse, key);

    const second = (await page(`?limit=10&cursor=${cursor}`)).data.map(({ id }) => id);

    expect(second).toEqual(ids.slice(10, 20));
    const path = `/api/v1/contacts/${added.body.data.id}`;
    await gatehouse.http.delete(path).set(key.bearer).expect(204);
  });

  describe('400', () => {
    it.each<[string, (cursor: string) => string]>([
      ['another position', (cursor) => cursor.replace(/^\d+/, '5')],
      ['a position with a leading zero', (cursor) => `0${cursor}`],
      ['a letter of the signature changed', (cursor) => flipLast(cursor)],
      ['a signature in upper case', (cursor) => cursor.toUpperCase()],
      ['no signature', (cursor) => cursor.replace(/\..*/, '')],
      ['an empty signature', (cursor) => cursor.replace(/\..*/, '.')],
      ['something behind it', (cursor) => `${cursor}.x`],
      ['a blank behind it', (cursor) => `${cursor}%20`],
      ['NUL in it', () => '%00'],
      ['nothing', () => ''],
      ['a word', () => 'next'],
    ])('is for a cursor with %s', async (_what, alter) => {
      expectProblem(await get(`?cursor=${alter(await cursorOf())}`), 400, 'bad_request');
    });

    it('answers a cursor of another tenant, list or environment', async () => {
      const cursor = await cursorOf();
      const stranger = await gatehouse.createKey(await gatehouse.createTenant('other'));
      const test = await gatehouse.createKey(tenant, { environment: 'test' });

      expectProblem(await get(`?cursor=${cursor}`, stranger), 400, 'bad_request');
      expectProblem(await get(`?cursor=${cursor}`, test), 400, 'bad_request');
      expectProblem(await get(`?cursor=${cursor}`, key, '/api-keys'), 400, 'bad_request');
    });
  });

  describe('422', () => {
    it.each(['0', '101', '-1', '1.5', 'abc', '', 'NaN', 'Infinity', '1e1', '0x10', '%2025', '+25'])(
      'answers the limit %j',
      async (limit) => {
        expectInvalid(await get(`?limit=${limit}`), ['limit']);
      },
    );

    it.each(['limit', 'cursor'])('answers %s given twice', async (name) => {
      const answer = await get(`?${name}=1&${name}=1`);

      expectInvalid(answer, [name]);
      expect(answer.body.errors[0].code).toBe('repeated_member');
    });
  });
});

function flipLast(cursor: string): string {
  return cursor.slice(0, -1) + (cursor.endsWith('0') ? '1' : '0');
}
