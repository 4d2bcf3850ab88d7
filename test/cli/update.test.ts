import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('api-keys update', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let key: TestKey;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    await gatehouse.createTenant('other');
  });
  beforeEach(async () => {
    const slug = `acme-${Math.random().toString(36).slice(2)}`;
    key = await gatehouse.createKey(await gatehouse.createTenant(slug));
  });

  const update = (...words: string[]) => cli(['api-keys', 'update', key.id, ...words, '--json']);

  it('changes what is named and leaves the rest', async () => {
    const words = ['--name', 'Renamed', '--allow-ip', '10.0.0.0/8', '--rate-limit', '7'];
    const changed = await update(...words, '--expires-in', '1d');

    expect(changed).toMatchObject({ code: 0, stderr: '' });
    const shown = JSON.parse(changed.stdout) as { expiresAt: string };
    expect(shown).toMatchObject({
      name: 'Renamed',
      allowedIps: ['10.0.0.0/8'],
      rateLimitPerMinute: 7,
    });
    expect(Date.parse(shown.expiresAt) - Date.now()).toBeLessThan(86_460_000);
    expect((await gatehouse.http.get('/api/v1/me').set(key.bearer)).status).toBe(401);

    const back = await update(
      '--allow-ip',
      'any',
      '--rate-limit',
      'default',
      '--expires-in',
      'never',
    );
    expect(JSON.parse(back.stdout)).toMatchObject({
      name: 'Renamed',
      allowedIps: null,
      rateLimitPerMinute: null,
      expiresAt: null,
    });
    expect((await gatehouse.http.get('/api/v1/me').set(key.bearer)).status).toBe(200);
  });

  it.each([
    ['nothing', []],
    ['an empty name', ['--name', '']],
    ['a word for an address', ['--allow-ip', 'nowhere']],
    ['any beside an address', ['--allow-ip', 'any', '--allow-ip', '10.0.0.1']],
    ['a lifetime without unit', ['--expires-in', '90']],
    ['a rate below 0', ['--rate-limit=-1']],
    ['a rate beyond the most', ['--rate-limit', '9999999']],
    ['scopes', ['--scopes', 'leads:read']],
  ])('is misused with %s', async (_name, words) => {
    const { code, stdout, stderr } = await update(...words);

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { message: expect.any(String) } });
  });

  it('uses the words of the API for what is not valid', async () => {
    const { stderr } = await update('--allow-ip', 'nowhere');
    const answer = await gatehouse.http
      .patch(`/api/v1/api-keys/${key.id}`)
      .set(key.bearer)
      .send({ allowedIps: ['nowhere'] });

    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'validation_failed',
        message: answer.body.detail,
        errors: answer.body.errors,
      },
    });
  });

  it('refuses a key of another tenant, and a revoked one', async () => {
    const foreign = await update('--tenant', 'other', '--name', 'x');
    expect(foreign.code).toBe(1);
    expect(JSON.parse(foreign.stderr)).toMatchObject({ error: { code: 'not_found' } });
    await cli(['api-keys', 'revoke', key.id, '--yes']);
    const ended = await update('--name', 'x');
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stderr)).toMatchObject({ error: { code: 'conflict' } });
  });
});

describe('a secret', () => {
  it('is printed once to standard output, with a warning on standard error', async () => {
    const gatehouse = await createTestApp();
    await gatehouse.createTenant('acme');
    const words = ['api-keys', 'create', '--tenant', 'acme', '--name', 'x', '--scopes'];

    const made = await createCli(gatehouse.database)([...words, 'leads:read']);
    const open = await createCli(gatehouse.database)([
      ...words,
      'products:read',
      '--kind',
      'publishable',
    ]);

    expect(made.stdout.match(/bwp_live_\w{20,}/g)).toHaveLength(1);
    expect(made.stderr).toBe('The key is shown this once: store it now.\n');
    expect(open).toMatchObject({ code: 0, stderr: '' });
    await gatehouse.close();
  });
});

describe('an error', () => {
  it.each([
    ['an unexpected one', { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/x' }],
    ['a faulty setting', { DATABASE_URL: 'nonsense' }],
  ])('prints no stack: %s', async (_name, { DATABASE_URL }) => {
    const cli = createCli({ url: DATABASE_URL });

    const { code, stdout, stderr } = await cli(['tenants', 'list']);
    const json = await cli(['tenants', 'list', '--json']);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr + json.stderr).not.toMatch(/^\s+at /m);
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'service_unavailable' } });
  });

  it('that nobody expected has its message alone', async () => {
    const gatehouse = await createTestApp();
    await gatehouse.database.query('ALTER TABLE tenants RENAME COLUMN name TO former');

    const { code, stderr } = await createCli(gatehouse.database)(['tenants', 'list', '--json']);

    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'internal_error' } });
    expect(stderr).not.toMatch(/ at .*\.[jt]s:/);
    await gatehouse.close();
  });
});
