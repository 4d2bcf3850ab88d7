import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCommandLine } from '../../src/cli/run.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { defaultSpaceOf } from '../support/app/spaces.js';
import { recordStatements, scansOf } from '../support/database/plans.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** More than one page of the database, and more than a pipe holds. */
const MANY = 2203;

const LISTS: readonly (readonly [string, readonly string[]])[] = [
  ['api-keys', ['--tenant', 'acme']],
  ['tenants', []],
  ['accounts', ['--tenant', 'acme']],
  ['clients', []],
  ['grants', ['--email', 'crowd@example.com']],
  ['products', ['--tenant', 'acme']],
];

describe('the lists of the command line', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let tenant: Tenant;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    tenant = await gatehouse.createTenant('acme');
    await fill(gatehouse, tenant);
  }, 60_000);

  const ids = async (...words: string[]) => {
    const { code, stdout, stderr } = await cli([...words, '--json']);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id);
  };

  it.each(LISTS)('%s: 50 by default, more on demand, each row once', async (noun, words) => {
    const brief = await cli([noun, 'list', ...words, '--json']);

    const first = (JSON.parse(brief.stdout) as { id: string }[]).map(({ id }) => id);
    expect(first).toHaveLength(50);
    expect(brief.stderr).toMatch(/more.*--limit N.*--all/);
    const all = await cli([noun, 'list', ...words, '--all', '--json']);
    const everything = (JSON.parse(all.stdout) as { id: string }[]).map(({ id }) => id);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(everything.length).toBeGreaterThanOrEqual(MANY);
    expect(new Set(everything).size).toBe(everything.length);
    expect(everything.slice(0, 50)).toEqual(first);
    expect(await ids(noun, 'list', ...words, '--limit', '700')).toEqual(everything.slice(0, 700));
    const exact = await cli([noun, 'list', ...words, `--limit=${everything.length}`, '--json']);
    expect(exact.stderr).toBe('');
  });

  it('prints a table with one heading, and says what is left out', async () => {
    const { code, stdout, stderr } = await cli([
      'api-keys',
      'list',
      '--tenant',
      'acme',
      '--limit',
      '1001',
    ]);

    const lines = stdout.trimEnd().split('\n');
    expect({ code, lines: lines.length }).toEqual({ code: 0, lines: 1002 });
    expect(lines.filter((line) => line.startsWith('id '))).toHaveLength(1);
    expect(stderr).toContain('There is more');
  });

  it('prints one JSON value for an empty list', async () => {
    await gatehouse.createTenant('empty');

    const words = ['api-keys', 'list', '--tenant', 'empty'];
    expect(await cli([...words, '--all', '--json'])).toEqual({
      code: 0,
      stdout: '[]\n',
      stderr: '',
    });
    expect((await cli(words)).stdout).toBe('None.\n');
  });

  it('filters keys as the API does', async () => {
    const other = await gatehouse.createTenant('filtered');
    const create = async (...words: string[]) => {
      const { stdout } = await cli([
        'api-keys',
        'create',
        '--tenant',
        'filtered',
        '--json',
        ...words,
      ]);
      return JSON.parse(stdout) as { id: string; key: string };
    };
    const plain = await create('--name', 'Plain', '--scopes', 'leads:read');
    const test = await create('--name', 'Testing', '--scopes', 'leads:read', '--env', 'test');
    const agent = await create('--name', 'Agent', '--scopes', 'leads:read', '--kind', 'agent');
    await cli(['revoke', agent.id, '--yes']);
    const admin = await gatehouse.createKey(other, { name: 'Admin' });
    const list = (...words: string[]) => ids('api-keys', 'list', '--tenant', 'filtered', ...words);

    expect(await list()).toHaveLength(4);
    for (const [words, query, expected] of [
      [['--env', 'test'], 'environment=test', [test.id]],
      [['--kind', 'agent'], 'kind=agent', [agent.id]],
      [['--status', 'revoked'], 'status=revoked', [agent.id]],
      [['--search', 'pLAIN'], 'search=pLAIN', [plain.id]],
      [['--search', plain.key.slice(-4)], `search=${plain.key.slice(-4)}`, [plain.id]],
      [['--status', 'active', '--env', 'test'], 'status=active&environment=test', [test.id]],
      [['--unused-days', '1'], 'unusedDays=1', []],
    ] as const) {
      const shown = await gatehouse.http.get(`/api/v1/api-keys?${query}`).set(admin.bearer);
      expect(await list(...words)).toEqual(expected);
      expect(shown.body.data.map(({ id }: { id: string }) => id)).toEqual(expected);
    }
  });

  it.each([
    ['--limit', '0'],
    ['--limit', '-1'],
    ['--limit=-1'],
    ['--limit', '1.5'],
    ['--limit', 'many'],
    ['--limit', ''],
    ['--limit', '99999999999'],
    ['--limit', '5', '--all'],
    ['--status', 'gone'],
    ['--kind', 'access_token'],
    ['--env', 'prod'],
    ['--search', ''],
    ['--unused-days', '0'],
  ])('are misused with %s %s', async (...words) => {
    const { code, stdout, stderr } = await cli(['api-keys', 'list', '--tenant', 'acme', ...words]);

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--');
  });

  it.each([
    ['accounts', ['--tenant', 'few'], 'memberships', 'memberships_listed'],
    ['clients', [], 'clients', 'clients_by_age'],
  ])('%s: a page reads no more rows than it has', async (noun, words, table, index) => {
    // Fewer members, all older than those of another tenant.
    const few = await gatehouse.database.query<{ id: string }>(
      `INSERT INTO tenants (id, slug, name) VALUES ('tnt_few', 'few', 'Few')
       ON CONFLICT DO NOTHING RETURNING id`,
    );
    if (few.length > 0) {
      await gatehouse.database.query(
        `INSERT INTO memberships (tenant_id, account_id, role)
         SELECT 'tnt_few', id, 'viewer' FROM accounts ORDER BY id LIMIT 700`,
      );
      await gatehouse.database.query('ANALYZE');
    }
    const [statement, ...more] = await recordStatements('list-', () =>
      cli([noun, 'list', ...words]),
    );
    expect(more).toEqual([]);

    const scans = statement === undefined ? [] : await scansOf(gatehouse.database, statement);
    // Two plans: for the values, and for unknown ones.
    const scan = { by: index, of: table, rows: 51 };
    expect(scans.filter(({ of }) => of === table)).toMatchObject([scan, scan]);
  });

  const openTransactions = () =>
    gatehouse.database.query(
      `SELECT 1 FROM pg_stat_activity
       WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
    );
  const start = (output: Writable, words: readonly string[]) =>
    runCommandLine(words, {
      env: { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY },
      directory: '/',
      input: Readable.from([]),
      output,
      messages: new PassThrough().resume(),
    });
  const ALL_KEYS = ['api-keys', 'list', '--tenant', 'acme', '--all', '--json'];

  it('read on only as their output is taken, and hold no transaction open meanwhile', async () => {
    const [taken, buffered, open]: [Buffer[], number[], unknown[]] = [[], [], []];
    // Takes a piece only after many round trips to the database, in which a page would have been read.
    const output = new Writable({
      decodeStrings: true,
      write(piece: Buffer, _encoding, done) {
        const take = async () => {
          for (let trip = 0; trip < 200; trip++) open.push(...(await openTransactions()));
          taken.push(piece);
          buffered.push(output.writableLength - piece.length);
        };
        take().then(() => done(), done);
      },
    });

    expect(await start(output, ALL_KEYS)).toBe(0);
    output.end();
    await finished(output);
    // The last bracket is written without waiting for a page.
    expect(Math.max(...buffered)).toBeLessThanOrEqual(2);
    expect(open).toEqual([]);
    expect(taken.length).toBeGreaterThan(4);
    expect(JSON.parse(Buffer.concat(taken).toString())).toHaveLength(MANY);
  });

  it('end quietly when nobody takes their output any more', async () => {
    const output = new PassThrough();
    const ended = start(output, ALL_KEYS);
    await once(output, 'readable');
    output.destroy();

    expect(await ended).toBe(0);
  });
});

async function fill(gatehouse: TestApp, tenant: Tenant): Promise<void> {
  const { database } = gatehouse;
  const space = await defaultSpaceOf(gatehouse, tenant);
  const statements: readonly (readonly [string, readonly unknown[]])[] = [
    [
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
         principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
       SELECT 'key_' || n, $1, 'secret', CASE WHEN n % 3 = 0 THEN 'test' ELSE 'live' END, 'Crowd ' || n,
         '{leads:read}', 'tenant', $1, 'digest ' || n, $3, 'x', ARRAY['key_' || n, $1],
         nextval('issue_order'), 'test'
       FROM generate_series(1, $2::int) AS n`,
      [tenant.id, MANY, gatehouse.keyring.currentId],
    ],
    [
      `INSERT INTO tenants (id, slug, name)
       SELECT 'tnt_' || n, 'crowd-' || n, 'Crowd' FROM generate_series(1, $1::int) AS n`,
      [MANY],
    ],
    [
      `INSERT INTO accounts (id, email, password_hash)
       SELECT 'usr_' || n, CASE n WHEN 1 THEN 'crowd@example.com' ELSE n || '@example.com' END, 'none'
       FROM generate_series(1, $1::int) AS n`,
      [MANY],
    ],
    [
      `INSERT INTO memberships (tenant_id, account_id, role)
       SELECT $1, 'usr_' || n, 'viewer' FROM generate_series(1, $2::int) AS n`,
      [tenant.id, MANY],
    ],
    [
      // Several at the same microsecond: the order must not depend on the time alone.
      `INSERT INTO clients (id, name, metadata, created_at)
       SELECT 'cli_' || n, 'Crowd', '{}', now() - make_interval(secs => n / 7)
       FROM generate_series(1, $1::int) AS n`,
      [MANY],
    ],
    [
      `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri,
         subjects, issue_seq, keep_until)
       SELECT 'grt_' || n, $1, 'usr_1', 'cli_' || n, '{leads:read}', '{}', 'https://app.example/cb',
         ARRAY['grt_' || n], nextval('issue_order'), 'infinity' FROM generate_series(1, $2::int) AS n`,
      [tenant.id, MANY],
    ],
    [
      `INSERT INTO products (tenant_id, environment, space_id, name, sku)
       SELECT $1, 'live', $2, 'Crowd', 'sku-' || n FROM generate_series(1, $3::int) AS n`,
      [tenant.id, space, MANY],
    ],
  ];
  for (const [statement, values] of statements) await database.query(statement, [...values]);
}
