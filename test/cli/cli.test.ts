import { beforeAll, describe, expect, it } from '@jest/globals';

import { createCli, type CliResult } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Tenant {
  id: string;
  slug: string;
  status: string;
}

interface Key {
  id: string;
  key: string;
  status: string;
  scopes: string[];
  expiresAt: string;
  allowedIps: string[];
  replaces: string;
}

describe('the command line', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    await gatehouse.createTenant('standing');
  });

  /** Runs a command that must succeed, and reads the one JSON value on standard output. */
  async function json<Value>(...words: string[]): Promise<Value> {
    const result = await cli([...words, '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    return JSON.parse(result.stdout) as Value;
  }

  const me = async (key: string) =>
    (await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${key}`)).status;

  const createTenant = (slug: string) =>
    json<Tenant>('tenants', 'create', '--name', `The ${slug}`, '--slug', slug);

  const createKey = (tenant: string, ...more: string[]) =>
    json<Key>(
      'api-keys',
      'create',
      '--tenant',
      tenant,
      '--name',
      'Sync',
      '--scopes',
      'leads:read contacts:read',
      ...more,
    );

  describe('tenants', () => {
    it('are created, listed, renamed, and found by id or slug', async () => {
      const tenant = await createTenant('first');
      expect(tenant).toMatchObject({ id: expect.stringMatching(/^tnt_/), status: 'active' });
      await json('tenants', 'update', 'first', '--slug', 'renamed');
      const tenants = await json<Tenant[]>('tenants', 'list');
      expect(tenants.find(({ id }) => id === tenant.id)?.slug).toBe('renamed');
    });

    it('cannot share a slug', async () => {
      await createTenant('taken');
      const again = await cli(['tenants', 'create', '--name', 'x', '--slug', 'taken', '--json']);
      expect(again).toMatchObject({ code: 1, stdout: '' });
      expect(again.stderr).toContain('taken');
    });

    it('suspend their keys for the time being', async () => {
      const tenant = await createTenant('paused');
      const { key } = await createKey('paused');
      expect(await me(key)).toBe(200);
      await json('tenants', 'suspend', tenant.id, '--yes');
      expect(await me(key)).toBe(403);
      await json('tenants', 'resume', 'paused');
      expect(await me(key)).toBe(200);
    });
  });

  describe('accounts', () => {
    it('are created once per email address and join several tenants', async () => {
      await createTenant('one');
      await createTenant('two');
      const create = (tenant: string) =>
        json<{ id: string; password?: string }>(
          'accounts',
          'create',
          '--email',
          'Ann@Example.com',
          '--tenant',
          tenant,
          '--role',
          'manager',
          '--name',
          'Ann',
        );
      const first = await create('one');
      const second = await create('two');
      expect(first.password).toEqual(expect.any(String));
      expect(second).toMatchObject({ id: first.id, email: 'ann@example.com' });
      expect(second.password).toBeUndefined();
      expect(await json('accounts', 'list', '--tenant', 'two')).toMatchObject([
        { email: 'ann@example.com', role: 'manager', name: 'Ann' },
      ]);
    });

    it('take a password from standard input and store only its argon2id hash', async () => {
      await createTenant('guarded');
      const words = ['accounts', 'create', '--email', 'bob@example.com', '--tenant', 'guarded'];
      const options = ['--role', 'viewer', '--password-stdin', '--json'];
      const result = await cli([...words, ...options], 'correct horse battery\n');
      expect(result.code).toBe(0);
      expect(result.stdout).not.toContain('correct horse');
      const dump = await gatehouse.database.dump();
      expect(dump).not.toContain('correct horse');
      expect(dump).toContain('$argon2id$');
    });
  });

  describe('api-keys', () => {
    it('are created with everything that the options say, and work', async () => {
      const tenant = await createTenant('made');
      const key = await createKey(
        ...([tenant.id, '--env', 'test', '--expires-in', '90d', '--rate-limit', '5'] as const),
        '--allow-ip',
        '127.0.0.1',
        '--allow-ip',
        '10.0.0.0/8',
      );
      expect(key).toMatchObject({
        key: expect.stringMatching(/^bwp_test_/),
        environment: 'test',
        scopes: ['contacts:read', 'leads:read'],
        allowedIps: ['127.0.0.1', '10.0.0.0/8'],
        rateLimitPerMinute: 5,
        createdBy: 'operator',
      });
      const days = (Date.parse(key.expiresAt) - Date.now()) / 86_400_000;
      expect(days).toBeGreaterThan(89.9);
      expect(days).toBeLessThan(90.1);
      expect(await me(key.key)).toBe(200);
    });

    it('are listed and shown without their secret', async () => {
      await createTenant('shown');
      const { id, key } = await createKey('shown');
      const list = await cli(['api-keys', 'list', '--tenant', 'shown', '--json']);
      const one = await cli(['api-keys', 'show', id, '--json']);
      const text = await cli(['api-keys', 'list', '--tenant', 'shown']);
      for (const { stdout } of [list, one, text]) {
        expect(stdout).toContain(id);
        expect(stdout).not.toContain(key);
      }
    });

    it('are rotated, and the old one works for the grace time', async () => {
      await createTenant('rotated');
      const old = await createKey('rotated');
      const next = await json<Key>('api-keys', 'rotate', old.id, '--grace', '1h', '--yes');
      expect(next.replaces).toBe(old.id);
      expect([await me(old.key), await me(next.key)]).toEqual([200, 200]);
      const last = await json<Key>('api-keys', 'rotate', next.id, '--yes');
      expect([await me(next.key), await me(last.key)]).toEqual([401, 200]);
    });

    it('are revoked permanently', async () => {
      await createTenant('ended');
      const { id, key } = await createKey('ended');
      expect(await json('api-keys', 'revoke', id, '--yes')).toMatchObject({ status: 'revoked' });
      expect(await me(key)).toBe(401);
      expect((await cli(['api-keys', 'rotate', id, '--yes'])).code).toBe(1);
    });

    it("are not found under another tenant's name", async () => {
      await createTenant('mine');
      await createTenant('yours');
      const { id } = await createKey('mine');
      expect((await cli(['api-keys', 'show', id, '--tenant', 'yours'])).code).toBe(1);
    });
  });

  describe('revoke', () => {
    it('ends everything that a tenant was issued so far, and nothing later', async () => {
      const tenant = await createTenant('purged');
      const before = await createKey('purged');
      await json('revoke', tenant.id, '--reason', 'leaked', '--yes');
      const after = await createKey('purged');
      expect([await me(before.key), await me(after.key)]).toEqual([401, 200]);
    });

    it('refuses a membership with something behind it', async () => {
      await createTenant('joined');
      const { id, tenantId } = await json<{ id: string; tenantId: string }>(
        'accounts',
        'create',
        '--email',
        'eve@example.com',
        '--tenant',
        'joined',
        '--role',
        'viewer',
      );
      const result = await cli(['revoke', `${id}@${tenantId}@junk`, '--yes']);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      await json('revoke', `${id}@${tenantId}`, '--yes');
    });

    it('refuses a subject that does not exist', async () => {
      const result = await cli(['revoke', 'tnt_01M7XFH5S6VAF9PYH4GQDWY91H', '--yes']);
      expect(result.code).toBe(1);
    });
  });

  describe('verify', () => {
    const verify = async (
      input: string,
      ...more: string[]
    ): Promise<CliResult & { body: unknown }> => {
      const result = await cli(['verify', '--json', ...more], `${input}\n`);
      return { ...result, body: JSON.parse(result.stdout) };
    };

    it('says who a credential is', async () => {
      await createTenant('known');
      const { id, key } = await createKey('known');
      const result = await verify(key);
      expect(result.code).toBe(0);
      expect(result.body).toMatchObject({ outcome: 'accepted', keyId: id, environment: 'live' });
      expect(result.stdout + result.stderr).not.toContain(key);
    });

    it('says why a credential is refused, with exit code 1', async () => {
      await createTenant('refused');
      const { id, key } = await createKey('refused', '--allow-ip', '10.0.0.1');
      const reasons = [
        await verify('nonsense'),
        await verify(gatehouse.format.mint('live')),
        await verify(key, '--address', '10.0.0.2'),
      ];
      await json('api-keys', 'revoke', id, '--yes');
      reasons.push(await verify(key));
      expect(reasons.map(({ code, body }) => [code, (body as { reason: string }).reason])).toEqual([
        [1, 'malformed'],
        [1, 'unknown'],
        [1, 'address_not_allowed'],
        [1, 'revoked'],
      ]);
    });
  });

  describe('secret-keys status', () => {
    it('counts what depends on the key', async () => {
      const [status] = await json<{ state: string; digests: number }[]>('secret-keys', 'status');
      expect(status).toMatchObject({ state: 'current', digests: expect.any(Number) });
      expect(status?.digests).toBeGreaterThan(0);
    });
  });

  describe('misuse', () => {
    it.each([
      ['no command', []],
      ['an unknown command', ['tenants', 'destroy']],
      ['an unknown option', ['tenants', 'list', '--nope']],
      ['a missing option', ['tenants', 'create']],
      ['a missing word', ['api-keys', 'show']],
      [
        'an unknown scope',
        ['api-keys', 'create', '--tenant', 'standing', '--name', 'x', '--scopes', 'x:y'],
      ],
      ['text that is not a duration', ['api-keys', 'rotate', 'key_x', '--grace', 'soon', '--yes']],
      ...[
        '90',
        '0',
        '0d',
        '0s',
        '-5d',
        '+5d',
        '',
        '5 d',
        '5D',
        '1.5h',
        '90days',
        '٣d',
        '9'.repeat(40),
        '101y',
      ].flatMap((duration): [string, string[]][] => [
        [
          `the lifetime "${duration}"`,
          [
            'api-keys',
            'create',
            '--tenant',
            'standing',
            '--name',
            'x',
            '--scopes',
            'leads:read',
            `--expires-in=${duration}`,
          ],
        ],
        [
          `the grace time "${duration}"`,
          ['api-keys', 'rotate', 'key_x', `--grace=${duration}`, '--yes'],
        ],
      ]),
      [
        'a time beyond all times',
        [
          'api-keys',
          'create',
          '--tenant',
          'standing',
          '--name',
          'x',
          '--scopes',
          'leads:read',
          '--expires-in',
          '999999999y',
        ],
      ],
      ['a grace time beyond 30 days', ['api-keys', 'rotate', 'key_x', '--grace', '31d', '--yes']],
      ['a question that nobody can answer', ['tenants', 'suspend', 'standing']],
    ])('is exit code 2, explained on standard error: %s', async (_, words) => {
      const result = await cli(words);
      expect(result).toMatchObject({ code: 2, stdout: '' });
      expect(result.stderr).not.toBe('');
      expect(result.stderr).not.toContain('    at ');
    });

    it('is not asking for help', async () => {
      expect(await cli(['--help'])).toMatchObject({ code: 0, stderr: '' });
    });
  });
});
