import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectProblem } from '../support/app/problems.js';
import { postForm } from '../support/browser/console.js';
import { signedInBrowser, type SignedInBrowser } from '../support/browser/session.js';
import { createUser, getTokens, mainOf, readForm, registerClient } from '../support/oauth/oauth.js';
import { confine, createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PAGE = '/settings/tester?tenant=acme';

const gatehouse = useGatehouse({ RATE_LIMIT_TENANT_PER_HOUR: '1000' });
let acme: Tenant;
let bolt: Tenant;
let service: TestKey;
let agent: TestKey;
let manager: TestKey;
let theirs: TestKey;
let ada: SignedInBrowser;
let bob: SignedInBrowser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  bolt = await gatehouse.createTenant('bolt');
  const scopes = ['contacts:read'];
  const allowedIps = ['203.0.113.0/24', '127.0.0.1'];
  service = await gatehouse.createKey(acme, { kind: 'service', scopes, allowedIps, name: 'Sync' });
  const bindings = [{ type: 'contacts', id: '7' }];
  const expiresAt = '2999-12-31T23:59:00.000Z';
  agent = await gatehouse.createKey(acme, { kind: 'agent', scopes, bindings, expiresAt });
  manager = await gatehouse.createKey(acme, { scopes: ['api_keys:manage'] });
  theirs = await gatehouse.createKey(bolt, { name: 'Their secret plan' });
  ada = await signedInBrowser(gatehouse, await createUser(gatehouse, [[acme, 'company_admin']]));
  bob = await signedInBrowser(gatehouse, await createUser(gatehouse, [[acme, 'manager']]));
});

interface Tested {
  readonly outcome: string;
  readonly reason?: string;
  readonly routes: { method: string; path: string; verdict: string }[];
  readonly observed: { path: string; status: number; code?: string; requestId: string }[];
}
const test = async (body: object) => {
  const answer = await ada.call('POST', '/credentials/test', body);
  expect(answer.status).toBe(200);
  expect(JSON.stringify(answer.data)).not.toContain(service.secret);
  return answer.data as unknown as Tested;
};

describe('POST /api/v1/credentials/test', () => {
  it('tells what a credential is, and what each route says to it', async () => {
    const tested = await test({ credential: service.secret });

    expect(tested).toMatchObject({
      outcome: 'accepted',
      keyId: service.id,
      keyName: 'Sync',
      kind: 'service',
      tenantId: acme.id,
      environment: 'live',
      scopes: ['contacts:read'],
      spaces: null,
      bindings: null,
      expiresAt: null,
      allowedIps: ['203.0.113.0/24', '127.0.0.1'],
      address: '127.0.0.1',
      budgets: { tenant: { limit: 1000, remaining: expect.any(Number) }, apiKey: {} },
    });
    const verdicts = Object.fromEntries(
      tested.routes.map(({ method, path, verdict }) => [`${method} ${path}`, verdict]),
    );
    expect(verdicts).toMatchObject({
      'GET /me': 'admitted',
      'GET /contacts': 'admitted',
      'DELETE /contacts/:id': 'scope_insufficient',
      'POST /api-keys': 'principal_not_admitted',
    });
    expect(tested.routes).toHaveLength(
      gatehouse.app.apiRoutes.filter(({ access }) => access !== 'public').length,
    );
  });

  it('judges the allow-list against a given address, and bindings', async () => {
    const body = { credential: service.secret, address: '198.51.100.7' };
    expect(await test(body)).toMatchObject({
      outcome: 'refused',
      reason: 'address_not_allowed',
      kind: 'service',
    });
    expect(await test({ ...body, address: '203.0.113.9' })).toMatchObject({ outcome: 'accepted' });
    const { routes } = await test({ credential: agent.secret });
    expect(routes).toContainEqual(
      expect.objectContaining({ path: '/contacts/:id', verdict: 'admitted for 7' }),
    );
  });

  it('observes what chosen routes answer, and leaves no trace of a use', async () => {
    const observe = ['/me', '/contacts', '/products', '/api-keys'];
    const before = await test({ keyId: service.id });
    const { observed } = await test({ credential: service.secret, observe });

    expect(observed).toEqual([
      { path: '/me', status: 200, requestId: expect.stringMatching(/^req_/) },
      { path: '/contacts', status: 200, requestId: expect.any(String) },
      { path: '/products', status: 403, code: 'scope_insufficient', requestId: expect.any(String) },
      { path: '/api-keys', status: 403, code: 'forbidden', requestId: expect.any(String) },
    ]);
    const denied = { credential: service.secret, observe, address: '198.51.100.7' };
    expect(new Set((await test(denied)).observed.map(({ status }) => status))).toEqual(
      new Set([401]),
    );
    await gatehouse.app.activity.flush();
    const rows = await gatehouse.database.query(
      `SELECT credential_id FROM credential_uses WHERE credential_id = $1
       UNION ALL SELECT subject FROM audit_log WHERE subject = $1 AND action = 'credential.refused'`,
      [service.id],
    );
    expect(rows).toEqual([]);
    expect(await test({ keyId: service.id })).toMatchObject({
      budgets: (before as unknown as { budgets: object }).budgets,
    });
    expect(gatehouse.logged.join('')).not.toContain(service.secret);
  });

  it("says nothing about another organization's credential", async () => {
    const tested = await test({ credential: theirs.secret, observe: ['/me'] });
    expect(tested).toEqual({
      outcome: 'refused',
      reason: 'not_of_this_organization',
      explanation: 'It is not of this organization.',
    });
    for (const keyId of [theirs.id, 'key_nothing']) {
      const answer = await ada.call('POST', '/credentials/test', { keyId });
      expect(answer).toMatchObject({ status: 404, code: 'not_found' });
    }
    expect(await test({ credential: 'bwp_live_cut' })).toMatchObject({ reason: 'malformed' });
    const unknown = gatehouse.format.mint('live');
    expect(await test({ credential: unknown })).toMatchObject({ reason: 'unknown' });
  });

  it('admits administrators and keys that manage keys, within their environment', async () => {
    const body = { credential: service.secret };
    const post = (bearer: Record<string, string>) =>
      gatehouse.http.post('/api/v1/credentials/test').set(bearer).send(body);
    expect((await bob.call('POST', '/credentials/test', body)).status).toBe(403);
    expectProblem(await post({}), 401, 'unauthorized');
    expectProblem(await post(service.bearer), 403, 'forbidden');
    expect((await post(manager.bearer)).body.data.outcome).toBe('accepted');
    const inTest = await gatehouse.createKey(acme, {
      scopes: ['api_keys:manage'],
      environment: 'test',
    });
    expect((await post(inTest.bearer)).body.data.reason).toBe('not_of_this_organization');
    const forged = { 'X-CSRF-Token': 'forged' };
    expect((await ada.call('POST', '/credentials/test', body, forged)).status).toBe(403);
  });

  it.each([
    [{}],
    [{ credential: '' }],
    [{ credential: 'x', keyId: 'y' }],
    [{ credential: 'x'.repeat(1001) }],
    [{ credential: 'x', address: 'localhost' }],
    [{ credential: 'x', observe: ['/nothing'] }],
    [{ credential: 'x', observe: ['/contacts?limit=1'] }],
    [{ credential: 'x', observe: ['/../contacts'] }],
    [{ credential: 'x', observe: Array.from({ length: 11 }, () => '/me') }],
    [{ keyId: 'key_x', observe: ['/me'] }],
  ])('refuses the malformed test %#', async (body) => {
    expect((await ada.call('POST', '/credentials/test', body)).status).toBe(422);
  });
});

describe('/settings/tester', () => {
  const submit = async (fields: Record<string, string | string[]>) => {
    const answer = await postForm(ada.browser, PAGE, { csrf: ada.csrf, ...fields });
    return { status: answer.status, html: await answer.text() };
  };

  it('shows the result, never the credential', async () => {
    const { status, html } = await submit({ credential: service.secret, observe: '/me' });

    expect(status).toBe(200);
    expect(html).not.toContain(service.secret);
    for (const text of ['Accepted', 'Sync', 'GET /contacts', 'Lacks a scope', '200', 'req_'])
      expect(mainOf({ html })).toContain(text);
    const ofTenant = await submit({ credential: manager.secret });
    expect(mainOf({ html: ofTenant.html })).toContain(`organization ${acme.id}`);
  });

  it('tests a chosen key, and shows faults beside what was typed', async () => {
    const chosen = await submit({ keyId: service.id, address: '198.51.100.7' });
    expect(mainOf(chosen)).toContain('It may not be used from this address.');
    const { html } = await submit({ keyId: agent.id });
    const expiry = '<time datetime="2999-12-31T23:59:00.000Z">31 Dec 2999, 23:59 UTC</time>';
    expect(html).toContain(expiry);
    const empty = await submit({ address: '198.51.100.7' });
    expect(empty.status).toBe(422);
    expect(mainOf(empty)).toContain('Paste a credential, or choose a key.');
    expect(mainOf(empty)).toContain('value="198.51.100.7"');
  });

  it('finds a key by its name, its last four characters or its id, and asks among several', async () => {
    const site = (number: number) =>
      gatehouse.createKey(acme, { name: `Site <${number}>`, rateLimitPerMinute: 7 });
    const [first] = [await site(1), await site(2)];
    for (const keyId of [' sYNC ', service.secret.slice(-4), service.id]) {
      expect(mainOf(await submit({ keyId }))).toMatch(/Accepted[^]*>Sync</);
    }
    const several = await submit({ keyId: 'site <' });
    expect(several.status).toBe(422);
    expect(mainOf(several)).toContain('Several keys match. Choose one of them.');
    expect(mainOf(several)).toContain('Site &lt;1&gt; (');
    const matched = { keyId: 'site <', matched: 'site <', match: first.id };
    const page = mainOf(await submit(matched));
    expect(page).toContain('Site &lt;1&gt;');
    expect(page).toContain('7 of 7 left');
    const typedOver = await submit({ ...matched, keyId: 'Sync' });
    expect(mainOf(typedOver)).toContain('Accepted');
    expect(mainOf(typedOver)).not.toMatch(/<dd><bdi dir="auto">Site/);
    for (const keyId of ['Their secret plan', theirs.id, 'nothing', '\0', 'x'.repeat(2000)]) {
      const answer = await submit({ keyId });
      expect([keyId.slice(0, 20), answer.status]).toEqual([keyId.slice(0, 20), 422]);
      expect(mainOf(answer)).toMatch(/No active key matches|Key not found/);
    }
  });

  it('names the spaces of a credential, in the natural order of names', async () => {
    const key = await gatehouse.createKey(acme, { name: 'Confined' });
    const spaces: string[] = [];
    for (const name of ['Site 10', 'Site 2']) spaces.push(await createSpace(gatehouse, acme, name));
    await confine(gatehouse, key, spaces);
    expect(mainOf(await submit({ keyId: key.id }))).toContain('Site 2, Site 10');
  });

  it('says when a budget has more again', async () => {
    const key = await gatehouse.createKey(acme, { name: 'Often', rateLimitPerMinute: 9 });
    await gatehouse.http.get('/api/v1/me').set(key.bearer);
    const page = mainOf(await submit({ keyId: key.id }));
    expect(page).toMatch(/8 of 9 left, more in (\d+ seconds|1 minute)/);
    expect(page).toMatch(/of 1,000 left, more in (60|5\d) minutes/);
  });

  it('revokes what was tested, with the proof of the test', async () => {
    const client = await registerClient(gatehouse);
    const user = await createUser(gatehouse, [[acme, 'member']]);
    const { access_token: token } = await getTokens(gatehouse, { client, user });
    const { html } = await submit({ credential: token });
    const form = /<form method="post" action="\/settings\/tester\/revoke.*?<\/form>/s.exec(html);
    const { action, hidden } = readForm(form?.[0] ?? '');

    const tampered = { ...Object.fromEntries(hidden), id: service.id };
    expect((await postForm(ada.browser, action, tampered)).status).toBe(403);
    expect((await postForm(ada.browser, action, Object.fromEntries(hidden))).status).toBe(303);

    const me = await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`);
    expect(me.status).toBe(401);
    expect(mainOf(await submit({ credential: token }))).not.toContain('Revoke it');
  });

  it('admits administrators only', async () => {
    expect((await bob.browser.open(PAGE)).status).toBe(403);
    const answer = await postForm(bob.browser, PAGE, { csrf: bob.csrf, credential: 'x' });
    expect(answer.status).toBe(403);
    expect((await postForm(ada.browser, PAGE, { credential: service.secret })).status).toBe(403);
  });
});
