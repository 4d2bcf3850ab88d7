import { beforeAll, describe, expect, it } from '@jest/globals';

import { type Cli, createCli, createCliWith } from '../support/app/cli.js';
import { createOperatorKey } from '../support/app/operator.js';
import { whenSettled } from '../support/app/settled.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createWebServer, type WebServer } from '../support/app/web-server.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';

/** A call and its result, for the comparison of both ways. */
interface Step {
  readonly words: string;
  readonly code: number;
  readonly value: unknown;
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

describe('the command line', () => {
  const gatehouse = useGatehouse();
  const ways: Record<'locally' | 'remotely', Cli> = {
    locally: createCliWith({}),
    remotely: createCliWith({}),
  };
  let key: string;
  let clients: Record<'locally' | 'remotely', string>;
  beforeAll(async () => {
    key = (await createOperatorKey(gatehouse)).secret;
    ways.locally = createCli(gatehouse.database);
    // Nothing else: neither a database nor secret keys.
    ways.remotely = createCliWith({ GATEHOUSE_URL: gatehouse.origin, GATEHOUSE_OPERATOR_KEY: key });
    clients = { locally: await connect('locally'), remotely: await connect('remotely') };
  });

  /** A user with two grants to a client, in a tenant of their own. */
  async function connect(way: string): Promise<string> {
    const tenant = await gatehouse.createTenant(`${way}-acme`);
    const user = await createUser(gatehouse, [[tenant, 'manager']], `${way}@oauth.example`);
    const client = await registerClient(gatehouse, { client_name: `Client ${way}` });
    for (let count = 0; count < 2; count += 1) await getTokens(gatehouse, { client, user });
    return client.client_id;
  }

  /** Runs the same calls in one of both ways. Words that differ between them are told by their name. */
  async function walk(way: 'locally' | 'remotely'): Promise<readonly Step[]> {
    const steps: Step[] = [];
    const tidy = (text: string) =>
      text
        .replaceAll(/"key":"[^"]+"|"(credential|password|secret)":"[^"]+"/g, '"secret":"…"')
        .replaceAll(/\b([a-z]{3})_[0-9A-HJKMNP-TV-Z]{26}\b/g, '$1_…')
        .replaceAll(/cli_[\w-]+/g, 'cli_…')
        .replaceAll(/bwp_\w+…\w+/g, 'bwp_…')
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
        // The only difference: a key was used, which is named.
        .replaceAll('"createdBy":"opk_…"', '"createdBy":"operator"')
        .replaceAll('"actor":"opk_…"', '"actor":"operator"')
        .replaceAll(/dlv_\d+/g, 'dlv_…')
        .replaceAll(/"seconds":[\d.]+/g, '"seconds":0')
        .replaceAll(way, 'WAY');
    const run = async (words: readonly string[], input?: string) => {
      const { code, stdout, stderr } = await ways[way]([...words, '--json', '--yes'], input);
      const shown = code === 0 || stdout !== '' ? stdout : stderr;
      steps.push({ words: tidy(words.join(' ')), code, value: parse(tidy(shown)) });
      return (parse(stdout) ?? {}) as Record<string, string>;
    };
    const tenant = `${way}-acme`;
    const inTenant = ['--tenant', tenant];
    const email = `ann@${way}.example`;
    const member = ['--email', email, ...inTenant];

    await run([
      'tenants',
      'create',
      'Other',
      '--slug',
      `${way}-other`,
      '--external-id',
      `${way}-1`,
    ]);
    await run(['tenants', 'create', 'Other', '--slug', `${way}-other`]);
    await run(['tenants', 'create', 'Other', '--slug', '-']);
    await run(['tenants', 'update', `${way}-other`, '--metadata', '{"plan": "pro"}']);
    await run(['tenants', 'update', `${way}-other`]);
    await run(['tenants', 'list', '--external-id', `${way}-1`]);
    await run(['tenants', 'suspend', `${way}-other`]);
    await run(['tenants', 'resume', `${way}-other`]);
    await run(['tenants', 'suspend', 'nowhere']);

    const space = await run(['spaces', 'create', 'Yard', ...inTenant]);
    await run(['spaces', 'rename', space['id'] ?? '', 'Yard 2', ...inTenant]);
    await run(['spaces', 'update', space['id'] ?? '', '--external-id', 'y', ...inTenant]);
    await run(['spaces', 'list', ...inTenant]);
    await run(['spaces', 'list', ...inTenant, '--metadata', 'nothing']);

    await run(['accounts', 'create', ...member, '--role', 'viewer', '--name', 'Ann']);
    await run(['accounts', 'create', ...member, '--role', 'viewer']);
    await run(
      ['accounts', 'create', ...member, '--role', 'viewer', '--password-stdin'],
      'a long password',
    );
    await run(['accounts', 'create', '--email', email, '--tenant', 'nowhere', '--role', 'viewer']);
    await run(['accounts', 'create', '--email', 'nobody', ...inTenant, '--role', 'viewer']);
    const second = ['--email', email, '--tenant', `${way}-other`];
    await run(['accounts', 'create', ...second, '--role', 'viewer', '--email-verified']);
    await run(['accounts', 'update', ...member, '--role', 'manager']);
    await run(['accounts', 'list', ...inTenant]);
    await run(['accounts', 'set-password', '--email', email, '--password-stdin'], 'short');
    await run(
      ['accounts', 'set-password', '--email', email, '--password-stdin'],
      'long enough 1\n',
    );
    await run(['accounts', 'remove', ...second]);
    await run(['accounts', 'remove', ...second]);
    await run(['accounts', 'update', '--email', 'x@y.zz', ...inTenant, '--role', 'viewer']);
    const lines = [{ email: `i1@${way}.example`, name: 'I' }, { email: 'x' }, { email }];
    await run(['accounts', 'import'], lines.map((line) => JSON.stringify(line)).join('\n'));

    const made = ['api-keys', 'create', ...inTenant, '--scopes', 'contacts:read'];
    const first = (await run([...made, '--name', 'Sync', '--expires-in', '90d']))['id'] ?? '';
    await run([...made, '--name', 'Odd', '--kind', 'nothing']);
    await run([...made, '--name', 'Odd', '--scopes', 'nothing:read']);
    await run(['api-keys', 'list', ...inTenant, '--search', 'Sync']);
    await run(['api-keys', 'list', ...inTenant, '--status', 'odd']);
    await run(['api-keys', 'show', first]);
    await run(['api-keys', 'show', first, '--tenant', `${way}-other`]);
    await run(['api-keys', 'update', first, '--rate-limit', '10', '--allow-ip', '10.0.0.0/8']);
    await run(['api-keys', 'update', first]);
    const rotated = (await run(['api-keys', 'rotate', first, '--grace', '1h']))['id'] ?? '';
    await run(['api-keys', 'revoke', rotated, '--reason', 'left']);
    await run(['api-keys', 'rotate', rotated]);
    await run(['api-keys', 'show', 'key_x']);

    const client = clients[way];
    await run(['clients', 'show', client]);
    await run(['clients', 'verify', client]);
    await run(['clients', 'unverify', client]);
    await run(['clients', 'require-par', client]);
    await run(['clients', 'unrequire-par', client]);
    await run(['clients', 'block', client, ...inTenant, '--reason', 'odd']);
    await run(['clients', 'unblock', client, ...inTenant]);
    await run(['clients', 'show', 'cli_nothing']);

    const user = ['--email', `${way}@oauth.example`];
    const grants = (await run(['grants', 'list', ...user, ...inTenant])) as unknown;
    const grant = (grants as readonly { id: string }[])[0]?.id ?? '';
    await run(['grants', 'revoke', grant, '--reason', 'odd']);
    await run(['grants', 'revoke', ...user, '--client', client]);
    await run(['grants', 'revoke', 'grt_x']);
    await run(['grants', 'list', '--email', 'x@y.zz']);
    await run(['clients', 'revoke', client, '--reason', 'odd']);

    const identifier = `https://${way}.example/api`;
    const api = await run(['resources', 'add', '--identifier', identifier, '--name', 'API']);
    await run(['resources', 'add', '--identifier', identifier, '--name', 'API']);
    await run(['resources', 'update', identifier, '--accepts-keys', 'false']);
    await run(['resources', 'show', api['id'] ?? '']);
    await run(['resources', 'rotate', identifier]);
    await run(['resources', 'remove', identifier, '--reason', 'gone']);
    await run(['resources', 'show', identifier]);

    const hook = await run(['webhooks', 'create', 'https://hooks.example/x', ...inTenant]);
    const hookId = String(hook['id']);
    await run(['webhooks', 'create', 'https://10.0.0.1/']);
    await run([
      'webhooks',
      'update',
      hookId,
      '--types',
      'api_key.*,test.noted',
      '--enabled',
      'false',
    ]);
    await run(['webhooks', 'test', hookId]);
    await run(['webhooks', 'update', hookId, '--enabled', 'true']);
    const sent = await run(['webhooks', 'test', hookId]);
    await run(['webhooks', 'redeliver', hookId, '--delivery', String(sent['id'])]);
    await run(['webhooks', 'redeliver', hookId]);
    await run(['webhooks', 'redeliver', hookId, '--since', '2099-01-01T00:00:00Z']);
    await run(['webhooks', 'deliveries', '--webhook', hookId]);
    await run(['webhooks', 'rotate', hookId, '--grace', '1h']);
    await run(['webhooks', 'list', ...inTenant]);
    await run(['webhooks', 'remove', hookId]);
    await run(['webhooks', 'show', hookId]);
    await whenSettled(gatehouse.database);
    await run(['events', 'list', ...inTenant, '--types', 'webhook.*', '--limit', '3']);
    await run(['events', 'list', '--after', 'evt_x']);

    await run(['revoke', first, '--reason', 'left']);
    await run(['revoke', 'odd']);
    const ended = ['--object', first, '--action', 'api_key.revoke'];
    await run(['audit', 'list', ...inTenant, ...ended, '--from', 'yesterday']);
    await run(['audit', 'export', ...inTenant, '--object', 'key_x']);
    return steps;
  }

  it('does the same at a running server as beside it, with the same output and exit codes', async () => {
    const [local, remote] = [await walk('locally'), await walk('remotely')];
    expect(remote).toEqual(local);
    expect(new Set(local.map(({ code }) => code))).toEqual(new Set([0, 1, 2]));
  });

  it('reads lists of many pages, and exports, at a running server', async () => {
    for (const way of ['locally', 'remotely'] as const) await gatehouse.createTenant(`many-${way}`);
    const input = Array.from({ length: 230 }, (_, n) => ({
      email: `m${n}@many.example`,
      memberships: [{ tenant: 'many-remotely', role: 'viewer' }],
    }));
    const text = input.map((line) => JSON.stringify(line)).join('\n');
    const imported = await ways.remotely(['accounts', 'import', '--json'], text);
    expect(parse(imported.stdout)).toMatchObject({ created: 230 });
    const words = ['accounts', 'list', '--tenant', 'many-remotely', '--json'];
    const all = await ways.remotely([...words, '--all']);
    expect(all.stdout).toBe((await ways.locally([...words, '--all'])).stdout);
    expect(parse(all.stdout)).toHaveLength(230);
    const some = await ways.remotely([...words, '--limit', '150']);
    expect(parse(some.stdout)).toHaveLength(150);
    expect(some.stderr).toContain('There is more');
    const exported = ['audit', 'export', '--tenant', 'many-remotely', '--format', 'csv'];
    expect((await ways.remotely(exported)).stdout).toBe((await ways.locally(exported)).stdout);
  });

  describe('at a running server', () => {
    let other: WebServer;
    /** Status, body and headers of its next answers; 0 breaks the connection. */
    let answers: (readonly [status: number, body: string, headers?: Record<string, string>])[] = [];
    let seen: unknown[] = [];
    beforeAll(async () => {
      other = await createWebServer();
      other.pages.set('/api/v1/operator/tenants', (request, response) => {
        seen.push(request.headers['idempotency-key']);
        const [status, body, headers = {}] = answers.shift() ?? [500, ''];
        if (status === 0) response.destroy();
        else response.writeHead(status, headers).end(body);
      });
    });
    const at = (env: Record<string, string>) =>
      createCliWith({ GATEHOUSE_OPERATOR_KEY: key, ...env });
    const create = ['tenants', 'create', 'T', '--json'];

    it('refuses what works beside the server only, and addresses that the key must not go to', async () => {
      for (const words of [
        ['operator-keys', 'list'],
        ['secret-keys', 'status'],
        ['signing-keys', 'list'],
        ['migrate'],
        ['revoke', '--issued-before', '2030-01-31T12:00:00Z'],
      ]) {
        const { code, stderr } = await ways.remotely([...words, '--yes']);
        expect([words, code, stderr]).toEqual([
          words,
          2,
          expect.stringContaining('beside the server'),
        ]);
      }
      for (const GATEHOUSE_URL of [
        'http://auth.example.com',
        'http://localhost.example.com',
        'https://user:x@auth.example.com',
        'https://auth.example.com/path',
        'ftp://auth.example.com',
        'auth.example.com',
        '',
      ]) {
        const { code, stderr } = await at({ GATEHOUSE_URL })(create);
        expect([GATEHOUSE_URL, code]).toEqual([GATEHOUSE_URL, 2]);
        expect(stderr).not.toContain(key);
      }
      const odd = await createCliWith({
        GATEHOUSE_URL: gatehouse.origin,
        GATEHOUSE_OPERATOR_KEY: `${key}\nX: y`,
      })(create);
      expect([odd.code, odd.stderr.includes(key)]).toEqual([2, false]);
    });

    it('says why a key is refused, and never shows it', async () => {
      const weak = await createOperatorKey(gatehouse, { scopes: ['events:read'] });
      const revoked = await createOperatorKey(gatehouse);
      await createCli(gatehouse.database)(['operator-keys', 'revoke', revoked.id, '--yes']);
      for (const [secret, code, text] of [
        [weak.secret, 'scope_insufficient', 'tenants:manage'],
        [revoked.secret, 'unauthorized', 'does not accept GATEHOUSE_OPERATOR_KEY'],
      ] as const) {
        const env = { GATEHOUSE_URL: gatehouse.origin, GATEHOUSE_OPERATOR_KEY: secret };
        const result = await createCliWith(env)(create);
        expect(result).toMatchObject({ code: 1, stdout: '' });
        expect(parse(result.stderr)).toMatchObject({ error: { code } });
        expect(result.stderr).toContain(text);
        expect(result.stderr).not.toContain(secret);
      }
    });

    it('says what an odd server answers, and follows no redirect', async () => {
      const run = async () => {
        const origin = `http://127.0.0.1:${other.port}`;
        const { code, stderr } = await at({ GATEHOUSE_URL: origin })(create);
        return [code, (parse(stderr) as { error: { message: string } }).error.message];
      };
      const problem = (code: string, detail: string) => JSON.stringify({ code, detail });
      const odd = [1, expect.stringContaining('does not answer as Gatehouse does')];
      answers = [[302, '', { Location: `${gatehouse.origin}/api/v1/operator/tenants` }]];
      expect(await run()).toEqual(odd);
      answers = [[200, '<html>']];
      expect(await run()).toEqual(odd);
      answers = [[404, problem('not_found', 'No resource has this path.')]];
      expect(await run()).toEqual([1, expect.stringContaining('its release differs')]);
      answers = [[429, problem('rate_limited', 'Too many.'), { 'Retry-After': '30' }]];
      expect(await run()).toEqual([1, 'Too many. Try again in 30 seconds.']);
      await other.close();
      expect(await run()).toEqual([1, expect.stringContaining('cannot be reached: ECONNREFUSED')]);
    });

    it('repeats a call whose answer was lost, with the same Idempotency-Key', async () => {
      seen = [];
      const lost = await createWebServer();
      lost.pages.set('/api/v1/operator/tenants', (request, response) => {
        seen.push(request.headers['idempotency-key']);
        // The work is done each time, and the first answer is lost.
        const forwarded = fetch(`${gatehouse.origin}${request.url}`, {
          method: 'POST',
          headers: {
            Authorization: String(request.headers.authorization),
            'Content-Type': 'application/json',
            'Idempotency-Key': String(request.headers['idempotency-key']),
          },
          body: JSON.stringify({ name: 'Once', slug: 'once' }),
        });
        const isFirst = seen.length === 1;
        void forwarded.then(async (answer) => {
          if (isFirst) response.destroy();
          else response.writeHead(answer.status).end(await answer.text());
        });
      });
      const { code, stdout } = await at({ GATEHOUSE_URL: `http://127.0.0.1:${lost.port}` })(create);
      await lost.close();
      expect([code, parse(stdout)]).toEqual([0, expect.objectContaining({ slug: 'once' })]);
      expect(seen).toHaveLength(2);
      expect(new Set(seen).size).toBe(1);
    });
  });
});
