import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createCli } from '../support/app/cli.js';
import { expectProblem } from '../support/app/problems.js';
import { createSpace } from '../support/app/spaces.js';

interface Report {
  read: number;
  imported: number;
  alreadyThere: number;
  refused: number;
  refusals: { line: number; reason: string }[];
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
let counter = 0;
/** A key as another system issued it. */
const oldKey = (prefix = 'sk_old_') => `${prefix}${String((counter += 1)).padStart(24, '0')}`;
const lineOf = (key: string, fields: object = {}) => ({
  sha256: sha256(key),
  name: 'From before',
  scopes: ['contacts:read'],
  ...fields,
});

describe('api-keys import', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let cli: ReturnType<typeof createCli>;
  let folder: string;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    tenant = await gatehouse.createTenant('acme');
    folder = await mkdtemp(join(tmpdir(), 'import-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  const run = async (lines: readonly (object | string)[], ...more: string[]) => {
    const input = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
    const words = [
      'api-keys',
      'import',
      '--tenant',
      'acme',
      '--prefix',
      'sk_old_',
      '--no-wait',
      '--json',
    ];
    const { code, stdout, stderr } = await cli([...words, ...more], input.join('\n'));
    await gatehouse.app.prefixes.refresh();
    return { code, stderr, report: JSON.parse(stdout || '{}') as Report };
  };
  const me = (key: string) =>
    gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${key}`);
  const idOf = async (key: string) => (await me(key)).body.data.keyId as string;

  it('lets imported keys work from the next request on', async () => {
    const [plain, full] = [oldKey(), oldKey()];
    const space = await createSpace(gatehouse, tenant, 'Warehouse');
    expectProblem(await me(plain), 401, 'unauthorized');

    const { code, report } = await run([
      lineOf(plain),
      lineOf(full, {
        name: 'Full',
        environment: 'test',
        kind: 'service',
        spaces: [space],
        scopes: ['leads:read', 'contacts:read'],
        expiresAt: '2090-01-01T00:00:00Z',
        allowedIps: ['127.0.0.1'],
        rateLimitPerMinute: 100,
      }),
    ]);

    expect(code).toBe(0);
    expect(report).toMatchObject({ read: 2, imported: 2, alreadyThere: 0, refused: 0 });
    expect((await me(plain)).body.data).toMatchObject({
      keyName: 'From before',
      tenantId: tenant.id,
      scopes: ['contacts:read'],
      type: 'api_key',
      environment: 'live',
    });
    const id = await idOf(full);
    expect((await me(full)).body.data).toMatchObject({
      type: 'service',
      environment: 'test',
      scopes: ['contacts:read', 'leads:read'],
      principal: { kind: 'service', id },
    });
    const admin = await gatehouse.createKey(tenant);
    const shown = await gatehouse.http.get(`/api/v1/api-keys/${id}`).set(admin.bearer);
    expect(shown.body.data).toMatchObject({
      name: 'Full',
      status: 'active',
      spaces: [space],
      maskedKey: 'sk_old_…',
      expiresAt: '2090-01-01T00:00:00.000Z',
      createdBy: 'operator',
    });
  });

  it('are presented like any other key, and judged alike', async () => {
    const key = oldKey();
    await run([lineOf(key)]);

    for (const headers of [
      { 'X-API-Key': key },
      { 'X-Bwp-Api-Token': key },
      { Authorization: `Token ${key}` },
    ]) {
      await gatehouse.http.get('/api/v1/me').set(headers).expect(200);
    }
    await gatehouse.http.get('/api/v1/contacts').set('X-API-Key', key).expect(200);
    const lacking = await gatehouse.http.get('/api/v1/leads').set('X-API-Key', key);
    expect(lacking.status).toBe(404);
    const query = await gatehouse.http.get(`/api/v1/me?auth_token=${key}`);
    expectProblem(query, 401, 'unauthorized');
    for (const wrong of [`${key}0`, key.slice(0, -1), key.toUpperCase(), sha256(key)]) {
      expectProblem(await me(wrong), 401, 'unauthorized');
    }
  });

  it('is recognised under the prefix only that was declared for it', async () => {
    const [live, test] = [oldKey('live-'), oldKey('test-')];
    const lines = [lineOf(live, { prefix: 'live-' }), lineOf(test, { prefix: 'live-' })];

    const { report } = await run(lines, '--prefix', 'live-');

    expect(report.imported).toBe(2);
    await me(live).expect(200);
    expectProblem(await me(test), 401, 'unauthorized');
  });

  it('stores no digest as it came, and moves it to the current secret key on use', async () => {
    const key = oldKey();
    await run([lineOf(key)]);
    const id = await idOf(key);
    const row = async () => {
      const rows = await gatehouse.database.query<{ digest: string; digest_key_id: string }>(
        'SELECT * FROM credentials WHERE id = $1',
        [id],
      );
      expect(JSON.stringify(rows)).not.toContain(sha256(key));
      return rows[0];
    };
    const before = await row();
    expect(before?.digest_key_id).toBe(gatehouse.keyring.currentId);

    // As if that key were not the first any more.
    await gatehouse.database.query(`UPDATE credentials SET digest_key_id = 'older' WHERE id = $1`, [
      id,
    ]);
    await me(key).expect(200);
    await gatehouse.app.activity.flush();
    expect(await row()).toMatchObject({ digest_key_id: gatehouse.keyring.currentId });
    await me(key).expect(200);
  });

  it('continues where it was interrupted, and revives nothing', async () => {
    const keys = Array.from({ length: 7 }, () => oldKey());
    const first = await run(keys.slice(0, 4).map((key) => lineOf(key)));
    expect(first.report.imported).toBe(4);
    const [revoked = '', used = ''] = keys;
    await me(used).expect(200);
    await gatehouse.http
      .post('/api/v1/oauth/revoke')
      .type('form')
      .send({ token: revoked })
      .expect(200);
    await gatehouse.app.activity.flush();

    const again = await run([...keys, keys[0] ?? ''].map((key) => lineOf(key)));

    expect(again.report).toMatchObject({ read: 8, imported: 3, alreadyThere: 5, refused: 0 });
    expect(again.code).toBe(0);
    expectProblem(await me(revoked), 401, 'unauthorized');
    for (const key of keys.slice(1)) await me(key).expect(200);
    const rows = await gatehouse.database.query(
      `SELECT details FROM audit_log WHERE action = 'api_key.import' AND tenant_id = $1
       ORDER BY id DESC LIMIT 1`,
      [tenant.id],
    );
    expect(rows).toEqual([{ details: { count: 3, prefixes: ['sk_old_'] } }]);
  });

  it('ends with its own revocation, and with its tenant', async () => {
    const other = await gatehouse.createTenant('doomed');
    const [one, two] = [oldKey(), oldKey()];
    await run([lineOf(one), lineOf(two)], '--tenant', other.slug);
    await cli(['revoke', await idOf(one), '--yes']);
    expectProblem(await me(one), 401, 'unauthorized');
    await me(two).expect(200);
    await cli(['revoke', other.id, '--yes']);

    expectProblem(await me(two), 401, 'unauthorized');
  });

  it('refuses line by line, says why, and imports the rest', async () => {
    const [good, known] = [oldKey(), oldKey()];
    const other = await gatehouse.createTenant('elsewhere');
    await run([lineOf(known)], '--tenant', other.slug);
    const file = join(folder, 'refused.jsonl');
    const refused: readonly (readonly [object | string, string])[] = [
      ['not json', 'not JSON'],
      ['"text"', 'must be an object'],
      [{ name: 'x', scopes: ['leads:read'] }, 'sha256'],
      [lineOf('x', { sha256: 'abc' }), 'sha256: must be a SHA-256'],
      [lineOf(oldKey(), { scopes: [] }), 'scopes'],
      [lineOf(oldKey(), { scopes: ['all'] }), 'scopes.0'],
      [lineOf(oldKey(), { name: '' }), 'name'],
      [lineOf(oldKey(), { expiresAt: '2020-01-01T00:00:00Z' }), 'expiresAt: is over'],
      [lineOf(oldKey(), { expiresAt: '9999-12-31T23:59:59-14:00' }), 'expiresAt: must lie in'],
      [lineOf(oldKey(), { allowedIps: [] }), 'allowedIps: must name'],
      [lineOf(oldKey(), { name: 'a\u001b[2J' }), 'name: must not hold control characters'],
      [lineOf(oldKey(), { kind: 'publishable', scopes: ['products:read'] }), 'kind'],
      [lineOf(oldKey(), { kind: 'organization', scopes: ['spaces:manage'] }), 'kind'],
      [lineOf(oldKey(), { kind: 'personal' }), 'kind'],
      [lineOf(oldKey(), { prefix: 'sk_new_' }), 'prefix: was not declared'],
      [lineOf(oldKey(), { spaces: ['spc_01ARZ3NDEKTSV4RRFFQ69G5FAV'] }), 'spaces'],
      [lineOf(oldKey(), { key: 'sk_old_this_is_secret' }), 'has unknown members'],
      [lineOf(known), "another tenant's"],
    ];

    const { code, report, stderr } = await run(
      [...refused.map(([line]) => line), '', lineOf(good)],
      '--refused',
      file,
    );

    expect(code).toBe(1);
    expect(report).toMatchObject({ imported: 1, refused: refused.length });
    const written = (await readFile(file, 'utf8')).trim().split('\n');
    const reasons = written.map((line) => JSON.parse(line) as Report['refusals'][number]);
    for (const [index, [, reason]] of refused.entries()) {
      const found = reasons.find(({ line }) => line === index + 1);
      expect({ index, reason: found?.reason }).toEqual({
        index,
        reason: expect.stringContaining(reason),
      });
    }
    expect(report.refusals).toHaveLength(refused.length);
    expect(`${stderr}${JSON.stringify(report)}${written.join('')}`).not.toContain('this_is_secret');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await me(good).expect(200);
  });

  it('reads a file, in batches that commit each for themselves', async () => {
    const keys = Array.from({ length: 12_001 }, () => oldKey());
    const file = join(folder, 'keys.jsonl');
    await writeFile(file, keys.map((key) => JSON.stringify(lineOf(key))).join('\r\n'));

    const { report } = await run([], '--file', file);

    expect(report).toMatchObject({ read: 12_001, imported: 12_001, refused: 0 });
    const batches = await gatehouse.database.query<{ count: number }>(
      `SELECT (details ->> 'count')::int AS count FROM audit_log
       WHERE action = 'api_key.import' ORDER BY id DESC LIMIT 3`,
    );
    expect(batches.map(({ count }) => count)).toEqual([2001, 5000, 5000]);
    for (const key of [keys[0] ?? '', keys[12_000] ?? '']) await me(key).expect(200);
  });

  it.each<[string, string[]]>([
    ['no prefix', ['--tenant', 'acme']],
    ['a prefix of ours', ['--tenant', 'acme', '--prefix', 'bwp_live_']],
    ['the beginning of a prefix of ours', ['--tenant', 'acme', '--prefix', 'bw']],
    ['an empty prefix', ['--tenant', 'acme', '--prefix', '']],
    ['no tenant', ['--prefix', 'sk_']],
  ])('is misused with %s', async (_what, words) => {
    const { code } = await cli(['api-keys', 'import', ...words, '--no-wait']);

    expect(code).toBe(2);
  });

  it('says so when the file or the tenant is not there', async () => {
    const words = ['api-keys', 'import', '--prefix', 'sk_old_', '--no-wait'];
    const missing = join(folder, 'missing.jsonl');

    for (const more of [
      ['--tenant', 'acme', '--file', missing],
      ['--tenant', 'nobody'],
    ]) {
      const { code, stderr } = await cli([...words, ...more]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/missing\.jsonl|no.*tenant/i);
    }
  });
});
