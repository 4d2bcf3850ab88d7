import { beforeAll, describe, expect, it } from '@jest/globals';

import type { TestKey } from '../support/app/app.js';
import { newBrowser, signIn } from '../support/browser/console.js';
import {
  createUser,
  getTokens,
  PASSWORD,
  post,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';

type Line = Readonly<Record<string, unknown>>;

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT_ID = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_ID}-01`;

describe('the line of a request in the log', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1', RATE_LIMIT_KEY_PER_MINUTE: '1000' });
  let tenant: Tenant;
  let key: TestKey;
  let user: TestUser;
  let client: TestClient;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
  });

  function lineOf(requestId: string | null | undefined): Line {
    const lines = gatehouse.logged
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line['requestId'] === requestId);
    expect(lines).toHaveLength(1);
    return lines[0] ?? {};
  }
  async function logged(path: string, headers: Readonly<Record<string, string>>): Promise<Line> {
    const answer = await gatehouse.http.get(path).set(headers);
    return lineOf(answer.headers['x-request-id']);
  }
  const ofToken = async (fields: Record<string, string>) =>
    lineOf((await post(gatehouse, 'token', fields)).headers.get('X-Request-Id'));

  it('names tenant, credential, kind, route, status and time for a key', async () => {
    expect(await logged('/api/v1/me', key.bearer)).toEqual({
      level: 'debug',
      time: expect.any(String),
      requestId: expect.stringMatching(/^req_/),
      method: 'GET',
      route: '/api/v1/me',
      status: 200,
      tenantId: tenant.id,
      credentialId: key.id,
      kind: 'secret',
      ms: expect.any(Number),
      address: 'unknown',
      msg: 'request',
    });
  });

  it('states why a known credential was refused, unlike the answer', async () => {
    const bound = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.1'] });
    expect(await logged('/api/v1/me', bound.bearer)).toMatchObject({
      status: 401,
      code: 'unauthorized',
      reason: 'address_not_allowed',
      tenantId: tenant.id,
      credentialId: bound.id,
    });
    const narrow = await gatehouse.createKey(tenant, { scopes: ['products:read'] });
    expect(await logged('/api/v1/contacts', narrow.bearer)).toMatchObject({
      status: 403,
      code: 'scope_insufficient',
      reason: 'scope_insufficient',
      credentialId: narrow.id,
    });
  });

  it('names no principal for an unknown credential', async () => {
    const line = await logged('/api/v1/me', { Authorization: 'Bearer nonsense' });
    expect(line).toMatchObject({ status: 401, code: 'unauthorized', reason: 'malformed' });
    expect(Object.keys(line)).not.toContain('tenantId');
    expect(Object.keys(line)).not.toContain('credentialId');
  });

  it('names client, account and grant for an access token, at userinfo too', async () => {
    const tokens = await getTokens(gatehouse, { client, user });
    const bearer = { Authorization: `Bearer ${tokens.access_token}` };
    const who = {
      tenantId: tenant.id,
      clientId: client.client_id,
      accountId: user.id,
      grantId: expect.stringMatching(/^gra?n?t?_/),
      credentialId: expect.stringMatching(/^tok_/),
    };
    expect(await logged('/api/v1/me', bearer)).toMatchObject(who);
    expect(await logged('/api/v1/oauth/userinfo', bearer)).toMatchObject(who);

    await gatehouse.database.shiftClock('2 hours');
    const expired = await logged('/api/v1/oauth/userinfo', bearer);
    await gatehouse.database.shiftClock('0 seconds');
    expect(expired).toMatchObject({
      ...who,
      status: 401,
      code: 'invalid_token',
      reason: 'expired',
    });
  });

  it('names them at the token endpoint, for a refusal as for a success', async () => {
    const who = { tenantId: tenant.id, clientId: client.client_id, accountId: user.id };
    const from = gatehouse.logged.length;
    const { refresh_token: token = '' } = await getTokens(gatehouse, { client, user });
    const lines = gatehouse.logged.slice(from).map((line) => JSON.parse(line) as Line);
    const exchanged = lines.find(({ route }) => route === '/api/v1/oauth/token');
    expect(exchanged).toMatchObject({ ...who, status: 200, grantId: expect.any(String) });
    const { grantId } = exchanged ?? {};
    expect(lines).toContainEqual(
      expect.objectContaining({
        route: '/api/v1/oauth/authorize/:uid',
        clientId: client.client_id,
        accountId: user.id,
        grantId,
      }),
    );
    const refresh = { grant_type: 'refresh_token', refresh_token: token };
    expect(await ofToken({ ...refresh, client_id: client.client_id })).toMatchObject({
      ...who,
      status: 200,
      grantId,
    });
    const other = await registerClient(gatehouse);
    expect(await ofToken({ ...refresh, client_id: other.client_id })).toMatchObject({
      ...who,
      clientId: other.client_id,
      grantId,
      reason: 'issued to another client',
    });
    expect(await ofToken({ ...refresh, client_id: 'cli_<script>' })).not.toHaveProperty('clientId');
  });

  it('names the account of a browser that has signed in', async () => {
    const browser = newBrowser(gatehouse);
    const from = gatehouse.logged.length;
    await signIn(browser, user, { password: 'not the password' });
    await signIn(browser, user);
    await browser.open('/settings/tokens');
    const lines = gatehouse.logged.slice(from).map((line) => JSON.parse(line) as Line);
    expect(lines).toContainEqual(
      expect.objectContaining({ route: '/login', code: 'sign_in', reason: 'refused' }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ route: '/login', status: 303, accountId: user.id }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({
        route: '/settings/tokens',
        accountId: user.id,
        tenantId: tenant.id,
      }),
    );
  });

  it('holds no secret, no query, no email address and no password', async () => {
    const tokens = await getTokens(gatehouse, { client, user });
    await gatehouse.http.get(`/api/v1/me?auth_token=${key.secret}&email=${user.email}`);
    await gatehouse.http.get('/api/v1/me').set({ 'X-API-Key': key.secret });
    const text = gatehouse.logged.join('');
    expect(text.length).toBeGreaterThan(1000);
    const { access_token: access, refresh_token: refresh = '' } = tokens;
    for (const secret of [key.secret, access, refresh, user.email, PASSWORD, 'auth_token']) {
      expect(secret).not.toBe('');
      expect(text).not.toContain(secret);
    }
  });

  describe('and the trace that the caller is in (W3C Trace Context)', () => {
    const traced = async (traceparent: string | readonly string[]) => {
      const headers = { traceparent: traceparent as string, tracestate: `v=${'s'.repeat(600)}` };
      const { trace_id: traceId, parent_id: parentId } = await logged('/api/v1/scopes', headers);
      return [traceId, parentId];
    };

    it.each([
      ['version 00', TRACEPARENT],
      ['not sampled', `00-${TRACE_ID}-${PARENT_ID}-00`],
      ['unknown flags', `00-${TRACE_ID}-${PARENT_ID}-ff`],
      ['a later version', `cc-${TRACE_ID}-${PARENT_ID}-01`],
      ['a later version with more members', `cc-${TRACE_ID}-${PARENT_ID}-01-what-ever`],
      ['white space around it', `  ${TRACEPARENT}\t`],
    ])('takes %s', async (_name, header) => {
      expect(await traced(header)).toEqual([TRACE_ID, PARENT_ID]);
    });

    it.each([
      ['an empty one', ''],
      ['version ff', `ff-${TRACE_ID}-${PARENT_ID}-01`],
      ['a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT_ID}-01`],
      ['a parent id of zeros', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
      ['upper case', TRACEPARENT.toUpperCase()],
      ['more members in version 00', `${TRACEPARENT}-what`],
      ['a dash at the end of version 00', `${TRACEPARENT}-`],
      ['text after the flags of a later version', `cc-${TRACE_ID}-${PARENT_ID}-01.what`],
      ['a trace id that is too short', `00-${TRACE_ID.slice(1)}-${PARENT_ID}-01`],
      ['flags that are missing', `00-${TRACE_ID}-${PARENT_ID}`],
      ['flags that are not digits', `00-${TRACE_ID}-${PARENT_ID}-0x`],
      ['text before it', `x${TRACEPARENT}`],
      ['two headers', [TRACEPARENT, TRACEPARENT]],
      ['two of a later version', [`cc${TRACEPARENT.slice(2)}`, `-${TRACEPARENT}`]],
      ['a very long one', `cc${TRACEPARENT.slice(2)}${'-'.repeat(5)}x`.repeat(100)],
      ['a secret', 'bwp_sk_0000000000000000000000000000'],
    ])('ignores %s', async (_name, header) => {
      expect(await traced(header)).toEqual([undefined, undefined]);
    });
  });
});
