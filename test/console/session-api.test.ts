import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import {
  callApi,
  copyOf,
  csrfOf,
  newBrowser,
  postForm,
  secretOf,
  signIn,
} from '../support/browser/console.js';
import { createUser, getTokens, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const TOKENS = '/api/v1/personal-access-tokens';

const gatehouse = useGatehouse();
let acme: Tenant;
let bolt: Tenant;
let ada: TestUser;
let both: TestUser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  bolt = await gatehouse.createTenant('bolt');
  ada = await createUser(gatehouse, [[acme, 'company_admin']]);
  both = await createUser(gatehouse, [
    [acme, 'viewer'],
    [bolt, 'manager'],
  ]);
});
beforeEach(() => gatehouse.database.query('DELETE FROM attempts'));

type Headers = Readonly<Record<string, string>>;

/** A signed-in browser, and API calls from a page in it. */
async function signedIn(user = ada) {
  const browser = newBrowser(gatehouse);
  const csrf = csrfOf(await signIn(browser, user));
  return {
    browser,
    csrf,
    call: (method: string, path: string, headers: Headers = {}, body?: unknown) =>
      callApi(
        browser,
        method,
        path,
        {
          'X-CSRF-Token': csrf,
          ...headers,
        },
        body,
      ),
  };
}

const NEW = { name: 'Laptop', access: 'read' };

describe('GET /api/v1/session', () => {
  it('returns the account and its memberships', async () => {
    const { call: ask } = await signedIn(both);
    const { status, data } = await ask('GET', '/api/v1/session');
    expect(status).toBe(200);
    expect(data).toEqual({
      accountId: both.id,
      email: both.email,
      name: 'Ada Example',
      tenants: [
        { id: acme.id, slug: 'acme', name: 'acme', role: 'viewer' },
        { id: bolt.id, slug: 'bolt', name: 'bolt', role: 'manager' },
      ],
    });
  });

  it('answers GET and HEAD, and no other method', async () => {
    const { call: ask } = await signedIn();
    expect((await ask('HEAD', '/api/v1/session')).status).toBe(200);
    expect((await ask('POST', '/api/v1/session')).status).toBe(405);
  });
});

describe('401', () => {
  it('answers visitors who have not signed in, or no longer', async () => {
    const anonymous = newBrowser(gatehouse);
    const csrf =
      /name="csrf" value="([^"]+)"/.exec((await anonymous.open('/login')).html)?.[1] ?? '';
    const left = await signedIn();
    const copy = copyOf(left.browser, gatehouse);
    await postForm(left.browser, '/logout', { csrf: left.csrf });
    const answers = [
      await callApi(anonymous, 'GET', '/api/v1/session'),
      await callApi(anonymous, 'GET', '/api/v1/session', { 'X-CSRF-Token': csrf }),
      await left.call('GET', '/api/v1/session'),
      await callApi(copy, 'POST', TOKENS, { 'X-CSRF-Token': left.csrf }, NEW),
    ];
    for (const { status, code, headers } of answers) {
      expect({ status, code }).toEqual({ status: 401, code: 'unauthorized' });
      expect(headers.get('WWW-Authenticate')).toMatch(/^Bearer realm="api", resource_metadata=/);
    }
  });

  it('is the answer to a session at routes for credentials, with or without CSRF proof', async () => {
    const { browser, call: ask } = await signedIn();
    for (const path of ['/api/v1/me', '/api/v1/contacts', '/api/v1/oauth/userinfo']) {
      expect((await callApi(browser, 'GET', path)).status).toBe(401);
      expect((await ask('GET', path, { Origin: gatehouse.config.ISSUER })).status).toBe(401);
    }
  });
});

describe('403', () => {
  it('answers calls without the CSRF proof of this browser', async () => {
    const { browser, csrf } = await signedIn();
    const other = await signedIn();
    const altered = csrf.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    const proofs: Headers[] = [
      {},
      { 'X-CSRF-Token': '' },
      { 'X-CSRF-Token': other.csrf },
      { 'X-CSRF-Token': altered },
      { 'X-CSRF-Token': `${csrf}, ${csrf}` },
      { 'X-CSRF-Token': secretOf(browser) },
    ];
    for (const headers of proofs) {
      for (const path of ['/api/v1/session', `/api/v1/session?csrf=${csrf}`]) {
        const answer = await callApi(browser, 'GET', path, headers);
        expect({ headers, status: answer.status, code: answer.code }).toEqual({
          headers,
          status: 403,
          code: 'forbidden',
        });
        expect(answer.data).toBeUndefined();
        expect(answer.headers.get('WWW-Authenticate')).toContain('error="insufficient_scope"');
      }
      expect((await callApi(browser, 'POST', TOKENS, headers, NEW)).status).toBe(403);
    }
    expect(await tokensOf(ada)).toEqual([]);
  });

  it.each([
    { Origin: 'https://evil.example' },
    { Origin: 'http://localhost:3001' },
    { Origin: 'null' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'none' },
    { Origin: 'http://localhost:3000', 'Sec-Fetch-Site': 'cross-site' },
  ])('is for other origins, even with the CSRF proof: %j', async (headers) => {
    const { call: ask } = await signedIn();
    expect(await ask('GET', '/api/v1/session', headers)).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await ask('POST', TOKENS, headers, NEW)).status).toBe(403);
    expect(await tokensOf(ada)).toEqual([]);
  });

  it('is not for same-origin pages', async () => {
    const { call: ask } = await signedIn();
    const headers = { Origin: gatehouse.config.ISSUER, 'Sec-Fetch-Site': 'same-origin' };
    expect((await ask('GET', '/api/v1/session', headers)).status).toBe(200);
  });

  it('answers credentials of all kinds, alone and beside a session', async () => {
    const { browser, call: ask } = await signedIn();
    const key = await gatehouse.createKey(acme);
    const client = await registerClient(gatehouse);
    const tokens = await getTokens(gatehouse, { client, user: ada });
    const presented: Headers[] = [
      key.bearer,
      { 'X-API-Key': key.secret },
      { Authorization: `Bearer ${tokens.access_token}` },
    ];
    for (const headers of presented) {
      const alone = await callApi(newBrowser(gatehouse), 'GET', '/api/v1/session', headers);
      expect(alone).toMatchObject({ status: 403, code: 'forbidden' });
      expect(await ask('GET', '/api/v1/session', headers)).toMatchObject({
        status: 403,
        code: 'forbidden',
      });
      expect((await callApi(browser, 'POST', TOKENS, headers, NEW)).status).toBe(403);
    }
    const wrong = { Authorization: 'Bearer nonsense' };
    expect((await ask('GET', '/api/v1/session', wrong)).status).toBe(401);
  });
});

describe('the tenant of a call', () => {
  it('is the only one of the account by default', async () => {
    const { call: ask } = await signedIn();
    expect((await ask('GET', TOKENS)).status).toBe(200);
  });

  it('has to be named by a member of several, by its id or slug', async () => {
    const { call: ask } = await signedIn(both);
    const unnamed = await ask('POST', TOKENS, {}, NEW);
    expect(unnamed).toMatchObject({ status: 400, code: 'bad_request' });
    expect(unnamed.detail).toContain('X-Bwp-Tenant');

    for (const [named, tenant, role] of [
      [acme.id, acme, 'viewer'],
      ['bolt', bolt, 'manager'],
    ] as const) {
      const made = await ask('POST', TOKENS, { 'X-Bwp-Tenant': named }, NEW);
      expect(made.status).toBe(201);
      const rows = await gatehouse.database.query<{ tenant_id: string }>(
        'SELECT tenant_id FROM credentials WHERE id = $1',
        [made.data?.id],
      );
      expect({ role, rows }).toEqual({ role, rows: [{ tenant_id: tenant.id }] });
    }
  });

  it('is never one without a current membership', async () => {
    const user = await createUser(gatehouse, [
      [acme, 'member'],
      [bolt, 'member'],
    ]);
    const { call: ask } = await signedIn(user);
    const other = await gatehouse.createTenant('other');
    const statusIn = async (named: string) =>
      (await ask('GET', TOKENS, { 'X-Bwp-Tenant': named })).status;
    for (const named of ['other', other.id, 'nothing', `${acme.id}, ${bolt.id}`, '%']) {
      expect({ named, status: await statusIn(named) }).toEqual({ named, status: 403 });
    }
    expect(await statusIn('bolt')).toBe(200);
    await gatehouse.database.query(
      'DELETE FROM memberships WHERE account_id = $1 AND tenant_id = $2',
      [user.id, bolt.id],
    );
    expect(await statusIn('bolt')).toBe(403);
    await gatehouse.database.query('DELETE FROM memberships WHERE account_id = $1', [user.id]);
    expect((await ask('GET', TOKENS)).status).toBe(403);
    expect((await ask('GET', '/api/v1/session')).data?.['tenants']).toEqual([]);
  });

  it('answers tenant_suspended if it is suspended', async () => {
    const tenant = await gatehouse.createTenant('paused');
    const { call: ask } = await signedIn(await createUser(gatehouse, [[tenant, 'member']]));
    const store = createTenantStore(gatehouse.dataSource.manager);
    await store.setSuspended(tenant.id, true);
    expect(await ask('GET', TOKENS)).toMatchObject({ status: 403, code: 'tenant_suspended' });
    await store.setSuspended(tenant.id, false);
    expect((await ask('GET', TOKENS)).status).toBe(200);
  });

  it('separates tokens of accounts, in the same tenant too', async () => {
    const [mine, theirs] = [await signedIn(), await signedIn(both)];
    const made = await mine.call('POST', TOKENS, {}, NEW);
    const path = `${TOKENS}/${made.data?.id}`;
    for (const named of ['acme', 'bolt']) {
      const headers = { 'X-Bwp-Tenant': named };
      expect((await theirs.call('GET', path, headers)).status).toBe(404);
      expect((await theirs.call('DELETE', path, headers)).status).toBe(404);
    }
    expect((await mine.call('GET', path)).status).toBe(200);
  });
});

describe('a call that changes something', () => {
  it('is done once for one Idempotency-Key, also if others use the same one', async () => {
    const { call: ask } = await signedIn();
    const headers = { 'Idempotency-Key': 'once' };
    const first = await ask('POST', TOKENS, headers, NEW);
    const again = await (await signedIn()).call('POST', TOKENS, headers, NEW);
    expect(again).toMatchObject({ status: 201, data: first.data });
    expect(again.headers.get('Idempotent-Replayed')).toBe('true');

    const other = await signedIn(both);
    const theirs = await other.call('POST', TOKENS, { ...headers, 'X-Bwp-Tenant': 'acme' }, NEW);
    expect(theirs).toMatchObject({ status: 409, code: 'idempotency_key_reused' });
  });

  it('is rolled back when it fails', async () => {
    const { call: ask } = await signedIn();
    const before = await tokensOf(ada);
    const answer = await ask(
      'POST',
      TOKENS,
      {},
      { ...NEW, spaces: ['spc_01ARZ3NDEKTSV4RRFFQ69G5FAV'] },
    );
    expect(answer).toMatchObject({ status: 422, code: 'validation_failed' });
    expect(await tokensOf(ada)).toEqual(before);
  });
});

function tokensOf({ id }: TestUser) {
  return gatehouse.database.query('SELECT id FROM credentials WHERE principal_id = $1', [id]);
}
