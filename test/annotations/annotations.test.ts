import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { ENVIRONMENTS, KEY_KINDS } from '../../src/credentials/kinds.js';
import { listStatement } from '../../src/credentials/store/credential-list.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { openStream } from '../support/app/change-stream.js';
import { createCli } from '../support/app/cli.js';
import { createCredential } from '../support/app/credentials.js';
import { expectInvalid, expectProblem } from '../support/app/problems.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { addResourceServer } from '../support/oauth/resource-servers.js';
import { scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Annotated {
  readonly id: string;
  readonly externalId: string | null;
  readonly metadata: object;
}

const gatehouse = useGatehouse();
let tenant: Tenant;
let other: Tenant;
let admin: TestKey;
let stranger: TestKey;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  other = await gatehouse.createTenant('other');
  admin = await gatehouse.createKey(tenant);
  stranger = await gatehouse.createKey(other);
});
afterEach(() =>
  gatehouse.database.query('UPDATE credentials SET external_id = NULL, metadata = NULL'),
);

const KEY = { name: 'A key', scopes: ['contacts:read'] };
const create = (body: object, by = admin, path = 'api-keys') =>
  gatehouse.http.post(`/api/v1/${path}`).set(by.bearer).send(body);
const createKey = async (body: object): Promise<Annotated & { readonly key: string }> => {
  const answer = await create({ ...KEY, ...body });
  expect(answer.status).toBe(201);
  return answer.body.data;
};
const patch = (id: string, body: object, path = 'api-keys') =>
  gatehouse.http.patch(`/api/v1/${path}/${id}`).set(admin.bearer).send(body);
const list = (query: string, by = admin, path = 'api-keys') =>
  gatehouse.http.get(`/api/v1/${path}?${query}`).set(by.bearer);
const idsOf = async (query: string, by = admin, path = 'api-keys') => {
  const answer = await list(query, by, path);
  expect(answer.status).toBe(200);
  return (answer.body.data as Annotated[]).map(({ id }) => id);
};

describe('externalId and metadata of keys', () => {
  it('are null and empty, and are set, replaced and removed', async () => {
    const plain = await createKey({});
    expect(plain).toMatchObject({ externalId: null, metadata: {} });

    const set = await patch(plain.id, { externalId: 'sys/42', metadata: { plan: 'pro', n: [1] } });
    expect(set.body.data).toMatchObject({
      externalId: 'sys/42',
      metadata: { plan: 'pro', n: [1] },
    });
    const replaced = await patch(plain.id, { metadata: { seats: 3 } });
    expect(replaced.body.data).toMatchObject({ externalId: 'sys/42', metadata: { seats: 3 } });
    const removed = await patch(plain.id, { externalId: null, metadata: {} });
    expect(removed.body.data).toMatchObject({ externalId: null, metadata: {} });
  });

  it.each([
    ['externalId', ''],
    ['externalId', ' a'],
    ['externalId', 'a\n'],
    ['externalId', 'ä'],
    ['externalId', 'x'.repeat(256)],
    ['externalId', 42],
    ['metadata', []],
    ['metadata', null],
    ['metadata', 'text'],
    ['metadata', { a: 'x'.repeat(4096) }],
    ['metadata', { a: 'nul \0' }],
    ['metadata', { '\0': 1 }],
    ['metadata', { a: '\ud800' }],
    ['metadata', { a: [[[[[1]]]]] }],
    ['metadata', { a: 1e308 }],
    ['metadata', { a: [-1e-300] }],
    ['metadata', JSON.parse('{"__proto__":{"plan":"pro"}}') as object],
    ['metadata', JSON.parse('{"a":{"__proto__":1}}') as object],
  ])('refuse %s: %j, at creation and in a change', async (member, value) => {
    expectInvalid(await create({ ...KEY, [member]: value }), [member]);
    expectInvalid(await patch(admin.id, { [member]: value }), [member]);
  });

  it('refuse a credential, and a nesting that would overflow a stack', async () => {
    expectInvalid(await create({ ...KEY, externalId: admin.secret }), ['externalId']);
    expectInvalid(await create({ ...KEY, metadata: { note: admin.secret } }), ['metadata']);
    const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`;
    const answer = await gatehouse.http
      .post('/api/v1/api-keys')
      .set(admin.bearer)
      .type('json')
      .send(`{"name":"x","scopes":["contacts:read"],"metadata":${deep}}`);
    expect([413, 422]).toContain(answer.status);
  });

  it('accept 4 KB and 255 characters', async () => {
    const most = { externalId: 'x'.repeat(255), metadata: { a: 'x'.repeat(4096 - 8) } };
    expect(await createKey(most)).toMatchObject(most);
    const metadata = { constructor: [0, -1e30, 1e-30, 0.1], '': null, 'a.b': { '': true } };
    expect((await createKey({ metadata })).metadata).toEqual(metadata);
  });

  it('are unique within the tenant among keys that work, also for simultaneous requests', async () => {
    const externalId = 'unique';
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => create({ ...KEY, externalId })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      201,
      ...Array.from({ length: 7 }, () => 409),
    ]);
    expectProblem(await create({ ...KEY, externalId }), 409, 'conflict');
    const plain = await createKey({});
    expectProblem(await patch(plain.id, { externalId }), 409, 'conflict');
    expect((await create({ ...KEY, externalId }, stranger)).status).toBe(201);

    const [first] = await idsOf('externalId=unique');
    await gatehouse.http.delete(`/api/v1/api-keys/${first}`).set(admin.bearer).expect(204);
    const second = await createKey({ externalId });
    expect(await idsOf('externalId=unique')).toEqual([second.id, first]);
  });

  it('move to the successor, and stay on the former key while it works', async () => {
    const old = await createKey({ externalId: 'rotating', metadata: { a: 1 } });
    const answer = await gatehouse.http
      .post(`/api/v1/api-keys/${old.id}/rotate`)
      .set(admin.bearer)
      .send({ graceSeconds: 60 });
    expect(answer.body.data).toMatchObject({ externalId: 'rotating', metadata: { a: 1 } });
    expect(await idsOf('externalId=rotating')).toEqual([answer.body.data.id, old.id]);
    expectProblem(await create({ ...KEY, externalId: 'rotating' }), 409, 'conflict');
  });

  it("filter the list of their own tenant, page by page, and say nothing of another's", async () => {
    const metadata = { plan: 'pro', seats: 5, isBig: true };
    const [one, two] = [await createKey({ metadata }), await createKey({ metadata })];
    await createKey({ metadata: { plan: 'free', seats: 50 } });
    await create({ ...KEY, metadata }, stranger);
    const query = 'metadata[plan]=pro&metadata[seats]=5&metadata[isBig]=true';

    expect(await idsOf(query)).toEqual([two.id, one.id]);
    expect(await idsOf('metadata%5Bplan%5D=pro&status=active&search=key')).toEqual([
      two.id,
      one.id,
    ]);
    expect(await idsOf('metadata[plan]=pro&metadata[seats]=50')).toEqual([]);
    const mixed = await createKey({ metadata: { ...metadata, seats: '5' } });
    expect(await idsOf(`${query}&limit=1`)).toEqual([mixed.id]);
    await gatehouse.database.query('UPDATE credentials SET metadata = NULL WHERE id = $1', [
      mixed.id,
    ]);
    const { body } = await list(`${query}&limit=1`);
    expect(body.meta.pagination).toMatchObject({ has_more: true, count: 1 });
    const { cursor } = body.meta.pagination;
    expect(await idsOf(`${query}&limit=1&cursor=${cursor}`)).toEqual([one.id]);
    expectProblem(await list(`metadata[plan]=free&cursor=${cursor}`), 400, 'bad_request');
  });

  it.each([
    'metadata=x',
    'metadata[]=x',
    'metadata[__proto__]=x',
    'metadata[a]=1&metadata[a]=2',
    'limit[a]=1',
    'metadata[a=1',
    `metadata[${'a'.repeat(101)}]=1`,
    'metadata[a]=1&metadata[b]=1&metadata[c]=1&metadata[d]=1&metadata[e]=1&metadata[f]=1',
    'externalId=',
  ])('refuse the query %s', async (query) => {
    expectProblem(await list(query), 422, 'validation_failed');
  });

  /** Reads all pages. @returns the positions of the keys */
  async function walk(query: string): Promise<readonly number[]> {
    const positions: number[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const path: string = `${query}&limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const { body } = await list(path).expect(200);
      positions.push(...(body.data as { id: string }[]).map(({ id }) => Number(id.slice(5))));
      cursor = body.meta.pagination.cursor;
    }
    return positions;
  }

  it('are found through indexes', async () => {
    await gatehouse.database.query(`
      INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind, principal_id, digest,
          digest_key_id, masked_key, subjects, issue_seq, created_by, external_id, metadata)
        SELECT 'key_F' || n, '${tenant.id}', 'secret', 'live', 'x', '{}', 'tenant', '', md5(n::text), 'x', 'x', '{}', n,
          'test', 'f' || n, jsonb_build_object('n', n, 'same', 1, 'half',
            CASE WHEN n > 10000 THEN 'new' ELSE 'old' END) FROM generate_series(1, 20000) n`);
    await gatehouse.database.query('ANALYZE credentials');
    for (const [query, filter, way, index] of [
      ['externalId=f777', { externalId: 'f777' }, 'range', 'credentials_by_external_id'],
      ['metadata[n]=777', { metadata: { n: '777' } }, 'index', 'credentials_by_metadata'],
    ] as const) {
      const wanted = { ...filter, kinds: KEY_KINDS, environments: ENVIRONMENTS };
      const page = { limit: 25, after: undefined };
      const { text, values } = listStatement(tenant.id, wanted, page, way);
      const plan = await gatehouse.database.query(`EXPLAIN ${text}`, [...values]);
      expect(JSON.stringify(plan)).toContain(index);
      expect((await list(query)).body.data).toMatchObject([{ id: 'key_F777' }]);
    }
    const downFrom = (most: number) => Array.from({ length: most }, (_, index) => most - index);
    expect(await walk('metadata[same]=1')).toEqual(downFrom(20_000));
    // More of them than a page examines, behind as many others.
    expect(await walk('metadata[half]=old')).toEqual(downFrom(10_000));
    expect(await walk('metadata[half]=old&metadata[n]=7')).toEqual([7]);
    expect(await walk('metadata[half]=old&search=none')).toEqual([]);
    const half = { kinds: KEY_KINDS, environments: ENVIRONMENTS, metadata: { half: 'old' } };
    const byIndex = listStatement(tenant.id, half, { limit: 25, after: undefined }, 'index');
    for (const { of, rows } of await scansOf(gatehouse.database, byIndex)) {
      if (of === 'credentials') expect(rows).toBeLessThan(7500);
    }
    await gatehouse.database.query(`DELETE FROM credentials WHERE id LIKE 'key_F%'`);
  });
});

describe('externalId and metadata of spaces', () => {
  it('are set, unique within the tenant, and filter the list', async () => {
    const body = { name: 'Yard', externalId: 'yard', metadata: { region: 'north' } };
    const { data } = (await create(body, admin, 'spaces')).body;
    expect(data).toMatchObject(body);
    expectProblem(await create({ ...body, name: 'Two' }, admin, 'spaces'), 409, 'conflict');
    expect((await create(body, stranger, 'spaces')).status).toBe(201);
    for (const query of ['externalId=yard', 'metadata[region]=north']) {
      expect(await idsOf(query, admin, 'spaces')).toEqual([data.id]);
    }
    expect(await idsOf('metadata[region]=south', admin, 'spaces')).toEqual([]);

    const changed = await patch(data.id, { externalId: 'yard-2' }, 'spaces');
    expect(changed.body.data).toMatchObject({ name: 'Yard', externalId: 'yard-2' });
    const { data: more } = (await create({ name: 'More' }, admin, 'spaces')).body;
    expectProblem(await patch(more.id, { externalId: 'yard-2' }, 'spaces'), 409, 'conflict');
  });
});

describe('externalId and metadata in verdicts', () => {
  it('are those of tenant, account and key, and their changes are in the feed', async () => {
    const service = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    const server = await addResourceServer(gatehouse, 'https://crm.example.com');
    const user = await createUser(gatehouse, [[tenant, 'manager']]);
    const client = await registerClient(gatehouse);
    const { access_token: token } = await getTokens(gatehouse, { client, user });
    const key = await createKey({ externalId: 'k1', metadata: { tier: 1 } });
    const stream = await openStream(gatehouse.origin, server.bearer);
    await stream.caughtUp();
    await gatehouse.database.query(
      `UPDATE tenants SET external_id = 't 1', metadata = '{"plan": "pro"}' WHERE id = $1`,
      [tenant.id],
    );
    await gatehouse.database.query(`UPDATE accounts SET external_id = 'u1' WHERE id = $1`, [
      user.id,
    ]);
    await patch(key.id, { metadata: { tier: 2 } });
    await stream.caughtUp();
    expect(stream.subjects()).toEqual([tenant.id, user.id, key.id]);
    stream.close();

    const answer = await gatehouse.http
      .post('/api/v1/verify')
      .set(service.bearer)
      .send({ credentials: [{ credential: key.key }, { credential: token }] });
    expect(answer.body.data.verdicts).toMatchObject([
      {
        externalIds: { tenant: 't 1', account: null, key: 'k1' },
        metadata: { tenant: { plan: 'pro' }, account: null, key: { tier: 2 } },
      },
      {
        externalIds: { tenant: 't 1', account: 'u1', key: null },
        metadata: { tenant: { plan: 'pro' }, account: {}, key: null },
      },
    ]);
    const forwarded = await gatehouse.http
      .get('/api/v1/forward-auth/x')
      .set('Authorization', `Bearer ${key.key}`);
    expect(forwarded.headers['x-auth-external-id']).toBe('t 1');
    const unmirrored = await gatehouse.http.get('/api/v1/forward-auth/x').set(stranger.bearer);
    expect(unmirrored.headers['x-auth-external-id']).toBe('');
  });
});

describe('externalId and metadata on the command line', () => {
  it('are set, and filter lists', async () => {
    const cli = createCli(gatehouse.database);
    const json = async (...words: string[]) => {
      const { code, stdout, stderr } = await cli([...words, '--json']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout);
    };
    const given = ['--external-id', 'c1', '--metadata', '{"plan": "pro"}'];
    const expected = { externalId: 'c1', metadata: { plan: 'pro' } };
    const made = await json('tenants', 'create', 'Mirrored', ...given);
    expect(made).toMatchObject(expected);
    expect(await json('tenants', 'update', made.id, '--metadata', '{}')).toMatchObject({
      externalId: 'c1',
      metadata: {},
    });
    expect(await json('tenants', 'list', '--external-id', 'c1')).toMatchObject([{ id: made.id }]);
    const taken = await cli(['tenants', 'create', 'Other', '--external-id', 'c1', '--json']);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain('external id c1');

    const at = ['--tenant', made.id];
    const space = await json('spaces', 'create', 'Yard', ...at, ...given);
    expect(space).toMatchObject(expected);
    const named = ['--name', 'x', '--scopes', 'contacts:read'];
    const key = await json('api-keys', 'create', ...at, ...named, ...given);
    expect(key).toMatchObject(expected);
    const changed = await json('api-keys', 'update', key.id, '--external-id', '');
    expect(changed).toMatchObject({ externalId: null, metadata: { plan: 'pro' } });
    for (const noun of ['spaces', 'api-keys']) {
      expect(await json(noun, 'list', ...at, '--metadata', 'plan=pro')).toHaveLength(1);
      expect(await json(noun, 'list', ...at, '--metadata', 'plan=free')).toEqual([]);
    }
    expect((await cli(['tenants', 'create', 'X', '--metadata', '{'])).code).toBe(2);
  });
});
