import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import { freshAddress } from '../support/app/clients.js';
import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';

const LIMIT = 6;

/** Requests that store rows before the user has signed in. */
describe('an authorization request of an anonymous browser', () => {
  const gatehouse = useGatehouseBehindProxy({ RATE_LIMIT_AUTHORIZE_PER_MINUTE: String(LIMIT) });
  let issuer: string;
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
  });
  beforeEach(() => gatehouse.database.query('DELETE FROM oauth_artifacts'));

  const urlFor = (parameters: Record<string, string> = {}) =>
    authorizeUrl(issuer, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    });
  /** Asks from an address, without cookies. */
  const ask = (address: string, parameters: Record<string, string> = {}) =>
    browserAt(address).request(urlFor(parameters));
  const rows = async () => {
    const [row] = await gatehouse.database.query<{ count: number; bytes: number }>(
      `SELECT count(*)::int AS count, coalesce(max(octet_length(payload::text)), 0) AS bytes
       FROM oauth_artifacts`,
    );
    return row ?? { count: -1, bytes: -1 };
  };
  const browserAt = (address: string) =>
    createBrowser({ origin: gatehouse.origin, issuer, address });

  it('is limited by address: 429 as a page, and nothing is stored', async () => {
    const address = freshAddress();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(address)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(LIMIT);
    expect(refused).toHaveLength(20 - LIMIT);
    expect((await rows()).count).toBe(LIMIT);
    for (const answer of refused) {
      expect(answer.headers.get('Retry-After')).toMatch(/^([1-9]|[1-5]\d|60)$/);
      expect(answer.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await answer.text()).toContain('<code>rate_limited</code>');
    }
    expect((await ask(freshAddress())).status).toBe(303);
  });

  it('shares its limit with the whole /64, by GET and POST', async () => {
    for (let host = 1; host <= LIMIT; host += 1) await ask(`2001:db8:7:7::${host}`);
    expect((await ask('2001:db8:7:7:ffff::1')).status).toBe(429);
    const browser = browserAt('2001:db8:7:7::1');
    const posted = await browser.request(`${issuer}/api/v1/oauth/authorize`, {
      method: 'POST',
      body: new URL(urlFor()).searchParams,
    });
    expect(posted.status).toBe(303);
    expect((await browser.request(posted.headers.get('Location') ?? '')).status).toBe(429);
    expect((await ask('2001:db8:7:8::1')).status).toBe(303);
    expect((await rows()).count).toBe(LIMIT + 1);
  });

  it('does not count where nothing is stored', async () => {
    const address = freshAddress();
    for (let sent = 0; sent < LIMIT * 2; sent += 1) {
      expect((await ask(address, { prompt: 'none' })).status).toBe(303);
      expect((await ask(address, { scope: 'nonsense' })).status).toBe(400);
      expect((await ask(address, { client_id: 'cli_x' })).status).toBe(400);
    }
    expect((await rows()).count).toBe(0);
    expect((await ask(address)).status).toBe(303);
  });

  it('does not limit a signed-in browser', async () => {
    const address = freshAddress();
    const browser = browserAt(address);
    await authorize(gatehouse, { client, user, browser });
    for (let sent = 0; sent < LIMIT * 2; sent += 1) await ask(address);
    expect((await ask(address)).status).toBe(429);
    const done = await authorize(gatehouse, { client, user, browser });
    expect(done.searchParams.has('code')).toBe(true);
  });

  it('is limited by account for a signed-in browser, from any address', async () => {
    const member = await createUser(gatehouse, [[tenant, 'member']]);
    const browser = browserAt(freshAddress());
    await authorize(gatehouse, { client, user: member, browser });
    const statuses: number[] = [];
    for (let sent = 0; sent <= LIMIT; sent += 1) {
      statuses.push((await browser.request(urlFor({ prompt: 'none' }))).status);
    }
    expect(statuses.at(-1)).toBe(429);
    const [row] = await gatehouse.database.query<{ count: number }>(
      'SELECT count(*)::int FROM grants WHERE account_id = $1',
      [member.id],
    );
    expect(row?.count).toBeLessThanOrEqual(LIMIT + 1);
  });

  it('stores no session if its cookie names one that has ended', async () => {
    const browser = browserAt(freshAddress());
    await authorize(gatehouse, { client, user, browser });
    await gatehouse.database.query('DELETE FROM sessions');
    const stale = new Map(browser.cookies);
    for (const parameters of [{}, { prompt: 'none' }, { prompt: 'login' }]) {
      for (const [name, value] of stale) browser.cookies.set(name, value);
      expect((await browser.request(urlFor(parameters))).status).toBe(303);
    }
    const count = 'SELECT count(*)::int AS count FROM sessions';
    expect(await gatehouse.database.query(count)).toEqual([{ count: 0 }]);
    const done = await authorize(gatehouse, { client, user, browser });
    expect(done.searchParams.has('code')).toBe(true);
    expect(await gatehouse.database.query(count)).toEqual([{ count: 1 }]);
  });

  it('is limited when it is resumed repeatedly', async () => {
    const address = freshAddress();
    const browser = browserAt(address);
    const login = (await browser.request(urlFor())).headers.get('Location') ?? '';
    expect(login).toMatch(/^\/login\//);
    const path = login.replace('/login/', '/api/v1/oauth/authorize/');
    const statuses = new Set<number>();
    for (let sent = 0; sent < LIMIT * 5 + 1; sent += 1) {
      const answer = await browser.request(path);
      statuses.add(answer.status);
      if (sent === LIMIT * 5) expect(answer.status).toBe(429);
    }
    expect((await rows()).count).toBeLessThanOrEqual(LIMIT * 5);
  });

  describe('that is long', () => {
    const refusedAsPage = async (parameters: Record<string, string>) => {
      const answer = await ask(freshAddress(), parameters);
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain('<code>invalid_request</code>');
      expect((await rows()).count).toBe(0);
    };

    it('is accepted with 2 KB of state, counted in bytes, and not with more', async () => {
      expect((await ask(freshAddress(), { state: 'x'.repeat(2048) })).status).toBe(303);
      expect((await ask(freshAddress(), { state: 'é'.repeat(1024) })).status).toBe(303);
      await gatehouse.database.query('DELETE FROM oauth_artifacts');
      for (const state of [
        'x'.repeat(2049),
        'é'.repeat(1025),
        'x'.repeat(7500),
        'x'.repeat(9000),
      ]) {
        await refusedAsPage({ state });
      }
    });

    it('is refused for any long parameter', async () => {
      await refusedAsPage({ nonce: 'x'.repeat(7000), scope: 'openid' });
      await refusedAsPage({ prompt: 'login '.repeat(1200).trim() });
      await refusedAsPage({ foo: 'x'.repeat(9000) });
      const body = new URLSearchParams({ state: 'x'.repeat(9000) });
      const posted = await fetch(`${gatehouse.origin}/api/v1/oauth/authorize`, {
        method: 'POST',
        body,
      });
      expect(posted.status).toBe(400);
      expect(await posted.text()).toContain('<code>invalid_request</code>');
    });

    it('redirects the error to the client once the user has signed in', async () => {
      const browser = browserAt(freshAddress());
      await authorize(gatehouse, { client, user, browser });
      const answer = await browser.open(urlFor({ state: 'x'.repeat(2049) }));
      expect(new URL(answer.url).searchParams.get('error')).toBe('invalid_request');
    });

    it('stores at most 7 KB', async () => {
      const answer = await ask(freshAddress(), {
        state: 'x'.repeat(2048),
        nonce: 'x'.repeat(1024),
        scope: 'openid offline_access',
        login_hint: 'x'.repeat(2e3),
        ui_locales: 'x'.repeat(1e3),
        display: 'x'.repeat(200),
        acr_values: 'x'.repeat(300),
        unknown: 'x'.repeat(300),
      });
      expect(answer.status).toBe(303);
      const { count, bytes } = await rows();
      expect(count).toBe(1);
      expect(bytes).toBeLessThan(4500);
    });
  });

  it('shows a text that does not quote the request', async () => {
    const address = freshAddress();
    for (let sent = 0; sent < LIMIT; sent += 1) await ask(address);
    const html = await (await ask(address)).text();
    expect(mainOf({ html })).toContain('Wait a minute, then try again.');
  });
});
