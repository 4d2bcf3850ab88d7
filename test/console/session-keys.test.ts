import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { callApi, csrfOf, newBrowser, signIn, type ApiAnswer } from '../support/browser/console.js';
import { createUser, type TestUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { ROLES } from '../../src/scopes/roles.js';

const KEYS = '/api/v1/api-keys';
const NEW = { name: 'Nightly export', scopes: ['contacts:read'] };

const gatehouse = useGatehouse({ CORS_ALLOWED_ORIGINS: 'https://app.example.com' });
let acme: Tenant;
let ada: TestUser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  await gatehouse.createTenant('bolt');
  ada = await createUser(gatehouse, [[acme, 'company_admin']]);
});
beforeEach(() => gatehouse.database.query('DELETE FROM attempts; DELETE FROM credentials'));

type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<ApiAnswer>;

async function signedIn(user = ada): Promise<{ csrf: string; call: Call; bare: Call }> {
  const browser = newBrowser(gatehouse);
  const csrf = csrfOf(await signIn(browser, user));
  return {
    csrf,
    call: (method, path, body, headers = {}) =>
      callApi(browser, method, path, { 'X-CSRF-Token': csrf, ...headers }, body),
    bare: (method, path, body, headers = {}) => callApi(browser, method, path, headers, body),
  };
}

const count = async () =>
  (await gatehouse.database.query<{ id: string }>('SELECT id FROM credentials')).length;

describe('an administrator’s browser session', () => {
  it('creates, reads, lists, changes, rotates and revokes the keys of its tenant', async () => {
    const { call } = await signedIn();
    const made = await call('POST', KEYS, NEW);
    expect(made).toMatchObject({ status: 201, data: { name: NEW.name, createdBy: ada.id } });
    const secret = made.data?.key ?? '';
    const id = made.data?.id ?? '';
    const me = await gatehouse.http.get('/api/v1/me').set({ Authorization: `Bearer ${secret}` });
    expect(me.body).toMatchObject({ data: { keyId: id, tenantId: acme.id } });

    expect(await call('GET', `${KEYS}/${id}`)).toMatchObject({ status: 200, data: { id } });
    expect((await call('GET', KEYS)).data).toMatchObject([{ id }]);
    expect((await call('PATCH', `${KEYS}/${id}`, { name: 'Export' })).data).toMatchObject({
      name: 'Export',
    });
    const next = await call('POST', `${KEYS}/${id}/rotate`, { graceSeconds: 0 });
    expect(next).toMatchObject({ status: 201, data: { replaces: id } });
    expect((await call('DELETE', `${KEYS}/${next.data?.id}`)).status).toBe(204);
    expect(
      await gatehouse.database.query(
        `SELECT DISTINCT actor FROM audit_log WHERE action LIKE 'api_key.%' AND tenant_id = $1`,
        [acme.id],
      ),
    ).toEqual([{ actor: ada.id }]);
  });

  it('makes keys of each kind that a tenant has, in both environments, and no personal tokens', async () => {
    const { call } = await signedIn();
    const scopes = { publishable: ['products:read'], organization: ['spaces:manage'] };
    for (const kind of ['secret', 'publishable', 'service', 'agent', 'organization'] as const) {
      for (const environment of ['live', 'test']) {
        const fields = { ...NEW, kind, environment, scopes: scopes[kind as never] ?? NEW.scopes };
        expect((await call('POST', KEYS, fields)).status).toBe(201);
      }
    }
    expect((await call('POST', KEYS, { ...NEW, kind: 'personal' })).status).toBe(422);
    const token = await call('POST', '/api/v1/personal-access-tokens', {
      name: 'Mine',
      access: 'read',
    });
    expect((await call('GET', `${KEYS}/${token.data?.id}`)).status).toBe(404);
  });

  it('needs the name of a key that was used lately', async () => {
    const { call } = await signedIn();
    const made = await call('POST', KEYS, NEW);
    await gatehouse.http
      .get('/api/v1/me')
      .set({ Authorization: `Bearer ${made.data?.key}` })
      .expect(200);
    expect((await call('DELETE', `${KEYS}/${made.data?.id}`)).status).toBe(409);
    expect((await call('DELETE', `${KEYS}/${made.data?.id}`, { confirm: NEW.name })).status).toBe(
      204,
    );
  });

  it('replays the answer of a repeated call with the same Idempotency-Key', async () => {
    const { call } = await signedIn();
    const headers = { 'Idempotency-Key': 'once-and-no-more' };
    const [first, second] = [
      await call('POST', KEYS, NEW, headers),
      await call('POST', KEYS, NEW, headers),
    ];
    expect(second.data).toEqual(first.data);
    expect(await count()).toBe(1);
  });
});

describe('a call with a session', () => {
  it('is refused without the CSRF token, with a wrong one, and from other origins', async () => {
    const { call, bare, csrf } = await signedIn();
    const other = await signedIn();
    const answers = [
      await bare('POST', KEYS, NEW),
      await bare('GET', KEYS),
      await bare('POST', `${KEYS}?csrf=${csrf}`, NEW),
      await call('POST', KEYS, NEW, { 'X-CSRF-Token': other.csrf }),
      await call('POST', KEYS, NEW, { 'X-CSRF-Token': 'x' }),
      await call('POST', KEYS, NEW, { Origin: 'https://evil.example' }),
      await call('POST', KEYS, NEW, { Origin: 'https://app.example.com' }),
      await call('POST', KEYS, NEW, { Origin: 'null' }),
      await call('GET', KEYS, undefined, { 'Sec-Fetch-Site': 'same-site' }),
      await call('GET', KEYS, undefined, { 'Sec-Fetch-Site': 'cross-site' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      401, 401, 401, 403, 403, 403, 403, 403, 403, 403,
    ]);
    for (const { headers } of answers) {
      expect(headers.get('WWW-Authenticate')).toMatch(
        /^Bearer realm="api".*, scope="api_keys:manage", resource_metadata=/,
      );
      expect(headers.has('Access-Control-Allow-Credentials')).toBe(false);
    }
    expect(await count()).toBe(0);
  });

  it('is refused beside a credential', async () => {
    const { call, bare } = await signedIn();
    const key = await gatehouse.createKey(acme);
    expect(await call('GET', KEYS, undefined, key.bearer)).toMatchObject({ status: 403 });
    expect(await call('POST', KEYS, NEW, { 'X-API-Key': key.secret })).toMatchObject({
      status: 403,
    });
    expect(await call('GET', KEYS, undefined, { Authorization: 'Bearer x' })).toMatchObject({
      status: 401,
    });
    // Without the proof it is a call of the credential alone, as a browser's cookies go along with every call.
    expect(await bare('GET', KEYS, undefined, key.bearer)).toMatchObject({ status: 200 });
    expect(await count()).toBe(1);
  });

  it('has the authority of the role, and nothing beyond', async () => {
    for (const role of ROLES.filter((name) => name !== 'company_admin')) {
      const { call } = await signedIn(await createUser(gatehouse, [[acme, role]]));
      const key = await gatehouse.createKey(acme);
      for (const [method, path, body] of [
        ['GET', KEYS],
        ['POST', KEYS, NEW],
        ['GET', `${KEYS}/${key.id}`],
        ['PATCH', `${KEYS}/${key.id}`, { name: 'x' }],
        ['POST', `${KEYS}/${key.id}/rotate`, {}],
        ['DELETE', `${KEYS}/${key.id}`],
      ] as const) {
        const answer = await call(method, path, body);
        expect({ role, method, path, status: answer.status, code: answer.code }).toEqual({
          role,
          method,
          path,
          status: 403,
          code: 'scope_insufficient',
        });
      }
    }
  });

  it('reaches no other tenant, and ends with the role and with the session', async () => {
    const ben = await createUser(gatehouse, [[acme, 'company_admin']]);
    const { call } = await signedIn(ben);
    const tenant = { 'X-Bwp-Tenant': 'bolt' };
    expect((await call('GET', KEYS, undefined, tenant)).status).toBe(403);
    expect((await call('GET', KEYS)).status).toBe(200);
    await gatehouse.database.query(`UPDATE memberships SET role = 'viewer' WHERE account_id = $1`, [
      ben.id,
    ]);
    expect((await call('POST', KEYS, NEW)).status).toBe(403);
    await gatehouse.database.query('UPDATE sessions SET expires_at = gatehouse_now()');
    expect((await call('GET', KEYS)).status).toBe(401);
  });
});

describe('a browser session', () => {
  it('reads what the console shows, with the token of a page of ours only', async () => {
    const { call, bare } = await signedIn();
    const member = await signedIn(await createUser(gatehouse, [[acme, 'member']]));
    for (const [path, forMembers] of [
      ['api-keys', 403],
      ['audit-log', 403],
      ['usage', 403],
      ['usage/history', 403],
      ['spaces', 403],
      ['connected-apps', 200],
      ['connected-apps?of=organization', 403],
      ['blocked-apps', 403],
      ['personal-access-tokens', 200],
      ['session', 200],
    ] as const) {
      const route = `/api/v1/${path}`;
      const evil = { Origin: 'https://evil.example' };
      expect({
        path,
        admin: (await call('GET', route)).status,
        member: (await member.call('GET', route)).status,
        isBare: (await bare('GET', route)).status >= 400,
        elsewhere: (await call('GET', route, undefined, evil)).status,
      }).toEqual({ path, admin: 200, member: forMembers, isBare: true, elsewhere: 403 });
    }
    expect((await call('GET', '/api/v1/usage')).data).toMatchObject({
      tenant: { used: 0 },
      apiKey: null,
    });
    const { secret } = await gatehouse.createKey(acme);
    const tested = await call('POST', '/api/v1/credentials/test', { credential: secret });
    expect(tested.status).toBe(200);
  });
});
