import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { runCommandLine } from '../../src/cli/run.js';
import { createImportedPrefixes } from '../../src/credentials/verification/prefixes.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { TEST_SECRET_KEY } from '../support/app/app.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Report {
  imported: number;
  refused: number;
  refusals: { line: number; reason: string }[];
}

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const lineOf = (key: string, more: object = {}) =>
  JSON.stringify({ sha256: sha256(key), name: 'Old', scopes: ['contacts:read'], ...more });

describe('imports', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
  });

  /** @param input as bytes, in pieces of any size */
  async function run(words: readonly string[], ...input: Buffer[]) {
    const [output, messages] = [new PassThrough(), new PassThrough()];
    const ended = runCommandLine([...words, '--tenant', 'acme', '--json'], {
      env: { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY },
      directory: '/',
      input: Readable.from(input),
      output,
      messages,
    }).finally(() => {
      output.end();
      messages.end();
    });
    const [code, stdout, stderr] = await Promise.all([ended, text(output), text(messages)]);
    await gatehouse.app.prefixes.refresh();
    return { code, stderr, report: JSON.parse(stdout || '{}') as Report };
  }
  const importKeys = (words: readonly string[], ...input: (string | Buffer)[]) =>
    run(['api-keys', 'import', '--no-wait', ...words], ...input.map((part) => Buffer.from(part)));
  const me = (key: string) => gatehouse.http.get('/api/v1/me').set('X-API-Key', key);

  it.each([
    ['hex32', randomBytes(16).toString('hex')],
    ['hex32', randomBytes(16).toString('hex').toUpperCase()],
    ['hex40', randomBytes(20).toString('hex')],
    ['hex64', randomBytes(32).toString('hex')],
    ['base62-24', randomBytes(12).toString('hex')],
    ['base64url-43', randomBytes(32).toString('base64url')],
    ['uuid', randomUUID()],
  ])('take keys without a common prefix by their form: %s', async (pattern, key) => {
    const other = key.slice(0, -4) + (key.endsWith('00aa') ? '00bb' : '00aa');
    const { code, report } = await importKeys(
      ['--pattern', pattern],
      lineOf(key, { hint: key.slice(-4) }),
    );

    expect({ code, ...report }).toMatchObject({ code: 0, imported: 1, refused: 0 });
    const { body } = await me(key).expect(200);
    const admin = await gatehouse.createKey(tenant);
    const shown = await gatehouse.http
      .get(`/api/v1/api-keys?search=${encodeURIComponent(key.slice(-4))}`)
      .set(admin.bearer);
    expect(shown.body.data).toMatchObject([
      { id: body.data.keyId, maskedKey: `…${key.slice(-4)}` },
    ]);
    for (const wrong of [other, `${key}0`, key.slice(0, -1), ` ${key}x`, `x${key}`]) {
      expectProblem(await me(wrong), 401, 'unauthorized');
    }
  });

  it('end keys without a prefix by revocation', async () => {
    const key = randomBytes(16).toString('hex');
    await importKeys(['--pattern', 'hex32'], lineOf(key));
    await me(key).expect(200);

    await gatehouse.http.post('/api/v1/oauth/revoke').type('form').send({ token: key }).expect(200);
    expectProblem(await me(key), 401, 'unauthorized');
  });

  it('look up only what is written in a declared form', async () => {
    await importKeys(['--pattern', 'hex48'], lineOf(randomBytes(24).toString('hex')));
    const prefixes = createImportedPrefixes(gatehouse.dataSource.manager, gatehouse.format.start);
    await prefixes.refresh();

    expect(prefixes.covers('a'.repeat(48))).toBe(true);
    for (const text of ['a'.repeat(47), 'a'.repeat(49), 'g'.repeat(48), `bwp_${'a'.repeat(44)}`]) {
      expect({ text, isCovered: prefixes.covers(text) }).toEqual({ text, isCovered: false });
    }
    await importKeys(['--pattern', 'base64url-60'], lineOf('x'.repeat(60)));
    await prefixes.refresh();
    expect(prefixes.covers(`bwp_live_${'a'.repeat(51)}`)).toBe(false);
  });

  it.each([
    'hex15',
    'hex0',
    'hex',
    'hex032',
    'HEX32',
    'hex513',
    'hex99999999999',
    'base62-8',
    'base62',
    'base64-32',
    'uuid4',
    '.*',
    '',
  ])('are misused with the pattern "%s"', async (pattern) => {
    const { code, stderr } = await importKeys([`--pattern=${pattern}`], lineOf('x'));

    expect(code).toBe(2);
    expect(stderr).toContain('--pattern');
  });

  it('refuse what contradicts the form, and keys that are too short, by line', async () => {
    const key = () => randomBytes(16).toString('hex');
    const { code, report, stderr } = await importKeys(
      ['--pattern', 'hex32', '--pattern', 'uuid', '--prefix', 'sk_forms_'],
      [
        lineOf(key(), { pattern: 'hex40' }),
        lineOf(key(), { pattern: 'hex32', prefix: 'sk_forms_' }),
        lineOf(key(), { pattern: 'hex32', hint: 'wxyz' }),
        lineOf(key(), { pattern: 'hex32', hint: 'abc' }),
        lineOf(key(), { hint: 'a\u001b[2' }),
        lineOf('sk_forms_1', { length: 10 }),
        lineOf('sk_forms_1', { length: 513 }),
        lineOf(key(), { pattern: 'uuid', hint: '00ff', length: 36 }),
        lineOf(key(), { hint: null, length: null }),
      ].join('\n'),
    );

    expect({ code, imported: report.imported }).toEqual({ code: 1, imported: 2 });
    expect(report.refusals).toEqual([
      { line: 1, reason: 'pattern: was not declared' },
      { line: 2, reason: 'pattern: is given beside a prefix' },
      { line: 3, reason: expect.stringContaining('hint: ') },
      { line: 4, reason: expect.stringContaining('hint: must be the last four') },
      { line: 5, reason: expect.stringContaining('hint: must be the last four') },
      { line: 6, reason: expect.stringContaining('length: is below 16') },
      { line: 7, reason: expect.stringContaining('length: is above 512') },
    ]);
    expect(stderr).toContain('fewer than 16 characters');
  });

  it('read CRLF, a byte-order mark and characters that fall into two pieces', async () => {
    const keys = Array.from({ length: 3 }, () => `sk_bytes_${randomBytes(12).toString('hex')}`);
    const lines = keys.map((key) => `${lineOf(key, { name: 'Größe 東京' })}\r\n`);
    const bytes = Buffer.from(`\uFEFF${lines.join('')}`);
    const pieces = Array.from({ length: bytes.length }, (_, index) =>
      bytes.subarray(index, index + 1),
    );

    const { code, report } = await importKeys(['--prefix', 'sk_bytes_'], ...pieces);

    expect({ code, ...report }).toMatchObject({ code: 0, imported: 3, refused: 0 });
    for (const key of keys) {
      expect((await me(key).expect(200)).body.data.keyName).toBe('Größe 東京');
    }
  });

  it('refuse bytes that are not UTF-8 and overlong lines by line, and import the rest', async () => {
    const key = (name: string) => `sk_bytes_${name}${randomBytes(12).toString('hex')}`;
    const [first, last] = [key('a'), key('b')];
    const latin1 = Buffer.from(lineOf(key('c'), { name: 'Größe' }), 'latin1');
    const newline = Buffer.from('\n');
    const { code, report } = await importKeys(
      ['--prefix', 'sk_bytes_'],
      lineOf(first),
      newline,
      latin1,
      newline,
      lineOf(key('d')),
      newline,
      ...Array.from({ length: 300 }, () => Buffer.alloc(65_536, 'x')),
      newline,
      Buffer.from([0xef, 0xbf]),
      newline,
      `\uFEFF${lineOf(key('e'))}`,
      newline,
      lineOf(last),
    );

    expect({ code, imported: report.imported }).toEqual({ code: 1, imported: 3 });
    expect(report.refusals).toEqual([
      { line: 2, reason: 'not UTF-8' },
      { line: 4, reason: expect.stringContaining('longer than') },
      { line: 5, reason: 'not UTF-8' },
      { line: 6, reason: 'not JSON' },
    ]);
    for (const good of [first, last]) await me(good).expect(200);
  });

  it('read bytes of products in the same way', async () => {
    const product = (sku: string, name: string) => JSON.stringify({ name, sku });
    const { code, report } = await run(
      ['products', 'import'],
      Buffer.from(`\uFEFF${product('ONE', 'Größe')}\r\n`),
      Buffer.from(`${product('TWO', 'Größe')}\r\n`, 'latin1'),
      Buffer.from(`${product('THREE', 'x'.repeat(20_000))}\n${product('FOUR', 'Four')}`),
    );

    expect({ code, ...report }).toMatchObject({ code: 1, created: 2, refused: 2 });
    expect(report.refusals).toEqual([
      { line: 2, reason: 'not UTF-8' },
      { line: 3, reason: expect.stringContaining('longer than') },
    ]);
  });

  it('refuse passwords whose bytes are not UTF-8', async () => {
    const words = ['accounts', 'create', '--email', 'ann@example.com', '--role', 'viewer'];
    const { code, stderr } = await run(
      [...words, '--password-stdin'],
      Buffer.from('pässword is long', 'latin1'),
    );

    expect(code).toBe(2);
    expect(stderr).toContain('not UTF-8');
  });
});
