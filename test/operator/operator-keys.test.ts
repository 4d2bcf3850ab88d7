import { beforeAll, describe, expect, it } from '@jest/globals';

import { KEY_KINDS, KINDS } from '../../src/credentials/kinds.js';
import type { OperatorRoute } from '../../src/operator/index.js';
import { OPERATOR_SCOPES } from '../../src/operator-keys/scopes.js';
import { KEY_SCOPES } from '../../src/scopes/catalog.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { createCredential } from '../support/app/credentials.js';
import { createOperatorKey, METHODS, operatorSender } from '../support/app/operator.js';
import { expectProblem } from '../support/app/problems.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { addResourceServer } from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const gatehouse = useGatehouse();
let tenant: Tenant;
let all: TestKey;
let send: ReturnType<typeof operatorSender>;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  all = await createOperatorKey(gatehouse);
  send = operatorSender(gatehouse, all);
});

describe('the matrix of operator routes, scopes and principals', () => {
  const routesOf = () =>
    gatehouse.app.otherRoutes.filter(({ path }) =>
      path.startsWith('/operator/'),
    ) as unknown as readonly OperatorRoute[];
  const ask = ({ method, path }: OperatorRoute, by: Readonly<Record<string, string>>) => {
    const name = METHODS.find((known) => known.toUpperCase() === method) ?? 'get';
    return gatehouse.http[name](`/api/v1${path.replace(/:\w+/g, 'x')}`).set(by);
  };

  it('admits an operator key with the scope of the route, and no other operator key', async () => {
    expect(routesOf().length).toBeGreaterThan(30);
    const keys = await Promise.all(
      OPERATOR_SCOPES.map(async (scope) => ({
        scope,
        key: await createOperatorKey(gatehouse, { scopes: [scope] }),
      })),
    );
    for (const route of routesOf()) {
      for (const { scope, key } of keys) {
        const answer = await ask(route, key.bearer);
        const { operator, also } = route.access ?? {};
        // A route that needs two scopes admits none of these keys.
        const isAdmitted = operator === scope && also === undefined;
        const name = `${route.method} ${route.path} ${scope}`;
        expect({ name, isAdmitted: ![401, 403].includes(answer.status) }).toEqual({
          name,
          isAdmitted,
        });
        if (isAdmitted) continue;
        expectProblem(answer, 403, 'scope_insufficient');
        expect(answer.body.required_scopes).toEqual(
          also === undefined ? [operator] : [operator, also],
        );
        expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
      }
    }
  }, 60_000);

  it('admits no other credential of any kind', async () => {
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const { access_token } = await getTokens(gatehouse, { client, user });
    const server = await addResourceServer(gatehouse, 'https://files.example.com');
    const foreign = `${all.secret.slice(0, 10)}${'0'.repeat(43)}`;
    const others: [string, Readonly<Record<string, string>>, number][] = [
      ['none', {}, 401],
      ['token', { Authorization: `Bearer ${access_token}` }, 403],
      ['resource server', server.bearer, 401],
      ['never issued', { Authorization: `Bearer ${gatehouse.format.mint('op')}` }, 401],
      ['malformed', { Authorization: `Bearer ${foreign}` }, 401],
      ['cookie', { Cookie: '_session=x', 'X-CSRF-Token': 'x' }, 401],
      ['dpop', { Authorization: `DPoP ${all.secret}` }, 401],
      ['basic', { Authorization: `Basic ${btoa(`${all.id}:${all.secret}`)}` }, 401],
    ];
    for (const kind of KEY_KINDS) {
      const scopes = KEY_SCOPES.filter((scope) =>
        (KINDS[kind].carries as readonly string[]).includes(scope),
      );
      const key = await createCredential(gatehouse, tenant, kind, scopes);
      others.push([kind, key.bearer, 403]);
    }
    for (const route of routesOf()) {
      for (const [name, headers, status] of others) {
        const answer = await ask(route, headers);
        expect([name, route.method, route.path, answer.status]).toEqual([
          name,
          route.method,
          route.path,
          status,
        ]);
        const { operator = '', also } = route.access ?? {};
        const scopes = also === undefined ? operator : `${operator} ${also}`;
        const challenge = answer.headers['www-authenticate'];
        expect(challenge).toMatch(/^Bearer realm="api"/);
        expect(challenge).toContain(`, scope="${scopes}", resource_metadata=`);
        expect(challenge?.includes('error=')).toBe(!['none', 'cookie', 'basic'].includes(name));
      }
    }
  }, 60_000);

  it('says that a mistyped operator key is mistyped', async () => {
    const changed = `${all.secret.slice(0, -1)}${all.secret.endsWith('a') ? 'b' : 'a'}`;
    for (const secret of [changed, all.secret.slice(0, 30)]) {
      const bearer = { Authorization: `Bearer ${secret}` };
      const answer = await gatehouse.http.get('/api/v1/operator/tenants').set(bearer);
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.body.detail).toBe('The operator key is cut off or mistyped.');
    }
  });

  it('admits operator keys nowhere else', async () => {
    for (const { method, path } of [...gatehouse.app.apiRoutes, ...gatehouse.app.sessionRoutes]) {
      if (['/scopes', '/credentials/revoke'].includes(path)) continue;
      const name = METHODS.find((known) => known.toUpperCase() === method) ?? 'get';
      const answer = await gatehouse.http[name](`/api/v1${path.replace(':id', 'x')}`).set(
        all.bearer,
      );
      expect([method, path, [401, 403].includes(answer.status)]).toEqual([method, path, true]);
    }
    for (const path of ['/api/v1/verify/changes', '/api/v1/forward-auth/x']) {
      expectProblem(await gatehouse.http.get(path).set(all.bearer), 401, 'unauthorized');
    }
    const userinfo = await gatehouse.http.get('/api/v1/oauth/userinfo').set(all.bearer);
    expect(userinfo.status).toBe(401);
    const introspected = await gatehouse.http
      .post('/api/v1/oauth/introspect')
      .set(all.bearer)
      .type('form')
      .send({ token: all.secret });
    expect(introspected.status).toBe(401);
  });

  it('refuses a key in a URL, beside another credential, from elsewhere, expired or revoked', async () => {
    const url = `/api/v1/operator/tenants?auth_token=${all.secret}`;
    expectProblem(await gatehouse.http.get(url), 401, 'unauthorized');
    const publishable = await createCredential(gatehouse, tenant, 'publishable', ['products:read']);
    const pair = { ...all.bearer, 'X-API-Key': publishable.secret };
    expectProblem(await send('get', 'tenants', undefined, pair), 400, 'bad_request');
    for (const header of ['X-API-Key', 'X-Bwp-Api-Token']) {
      const answer = await gatehouse.http
        .get('/api/v1/operator/tenants')
        .set({ [header]: all.secret });
      expect(answer.status).toBe(200);
    }
    const elsewhere = await createOperatorKey(gatehouse, {
      allowedIps: ['192.0.2.1'],
      expiresInSeconds: 60,
    });
    expectProblem(await send('get', 'tenants', undefined, elsewhere.bearer), 401, 'unauthorized');
    const brief = await createOperatorKey(gatehouse, { expiresInSeconds: 60 });
    expect((await send('get', 'tenants', undefined, brief.bearer)).status).toBe(200);
    await gatehouse.database.shiftClock('2 minutes');
    expectProblem(await send('get', 'tenants', undefined, brief.bearer), 401, 'token_expired');
    expectProblem(await send('get', 'tenants', undefined, elsewhere.bearer), 401, 'unauthorized');
    await gatehouse.database.shiftClock('0');
    await gatehouse.app.activity.flush();
    const { body } = await send('get', `audit-log?actor=${elsewhere.id}`);
    expect(body.data[0]).toMatchObject({ details: { reason: 'address_not_allowed' } });
    expect(gatehouse.logged.join('')).not.toContain(all.secret);

    const exposed = await createOperatorKey(gatehouse, {});
    const report = { credentials: [exposed.secret] };
    await gatehouse.http.post('/api/v1/credentials/revoke').send(report).expect(202);
    expectProblem(await send('get', 'tenants', undefined, exposed.bearer), 401, 'unauthorized');
  });
});

describe('operator-keys on the command line', () => {
  it('are created, listed, rotated and revoked; digests are stored, and secrets shown once', async () => {
    const cli = createCli(gatehouse.database);
    const json = async (...words: string[]) => {
      const { code, stdout, stderr } = await cli([...words, '--json', '--yes']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return JSON.parse(stdout);
    };
    const made = await json('operator-keys', 'create', '--scopes', 'events:read tenants:manage');
    expect(made).toMatchObject({
      id: expect.stringMatching(/^opk_/),
      key: expect.stringMatching(/^bwp_op_[0-9A-Za-z]{49}$/),
      scopes: ['tenants:manage', 'events:read'],
      status: 'active',
    });
    const statusWith = async (key: string) =>
      (await send('get', 'tenants', undefined, { Authorization: `Bearer ${key}` })).status;
    expect(await statusWith(made.key)).toBe(200);
    const [row] = await gatehouse.database.query<object>(
      'SELECT * FROM operator_keys WHERE id = $1',
      [made.id],
    );
    expect(JSON.stringify(row)).not.toContain(made.key);
    expect(made).toMatchObject({ lastUsedAt: null, lastUsedIp: null });
    await gatehouse.app.activity.flush();
    const [used] = await json('operator-keys', 'list');
    expect(used).toMatchObject({
      id: made.id,
      lastUsedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      lastUsedIp: expect.stringMatching(/127\.0\.0\.1$/),
    });

    const rotated = await json('operator-keys', 'rotate', made.id, '--grace', '1h');
    expect([await statusWith(made.key), await statusWith(rotated.key)]).toEqual([200, 200]);
    expect((await cli(['operator-keys', 'rotate', made.id, '--yes'])).code).toBe(1);
    await json('operator-keys', 'revoke', made.id);
    expect([await statusWith(made.key), await statusWith(rotated.key)]).toEqual([401, 200]);
    const [newest, former] = await json('operator-keys', 'list');
    expect(newest).toMatchObject({ id: rotated.id, replaces: made.id });
    expect(former).toMatchObject({ id: made.id, status: 'revoked' });
    expect(JSON.stringify([newest, former])).not.toContain(rotated.key);
    expect((await cli(['operator-keys', 'create', '--scopes', 'contacts:read'])).code).toBe(2);
    const status = await json('secret-keys', 'status');
    expect(JSON.stringify(status)).toContain('digests');
  });

  it.each([
    ['--allow-ip', '--expires-in'],
    ['--allow', '--expires'],
  ])('are restricted like other keys, by %s and %s', async (allow, expires) => {
    const words = ['create', '--scopes', 'events:read', allow, '10.0.0.0/8', expires, '90d'];
    const { stdout } = await createCli(gatehouse.database)(['operator-keys', ...words, '--json']);
    const made = JSON.parse(stdout);
    expect(made).toMatchObject({ allowedIps: ['10.0.0.0/8'], expiresAt: expect.any(String) });
    expect(Date.parse(made.expiresAt) - Date.parse(made.createdAt)).toBeCloseTo(
      90 * 24 * 3600 * 1000,
      -4,
    );
  });
});
