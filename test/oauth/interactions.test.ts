import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp } from '../support/app/app.js';
import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  PASSWORD,
  post,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('a pending authorization', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let client: TestClient;
  let ada: TestUser;
  let ben: TestUser;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    client = await registerClient(gatehouse);
    ada = await createUser(gatehouse, [[tenant, 'company_admin']]);
    ben = await createUser(gatehouse, [[tenant, 'member']]);
  });

  const newBrowser = () =>
    createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
  const begin = (browser: Browser, parameters: Record<string, string> = {}) =>
    browser.open(
      authorizeUrl(gatehouse.config.ISSUER, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
        ...parameters,
      }),
    );
  const signIn = (browser: Browser, page: Awaited<ReturnType<typeof begin>>, user: TestUser) =>
    browser.submit(page, { email: user.email, password: PASSWORD });
  const grantsOf = ({ id }: TestUser) =>
    gatehouse.database.query('SELECT id FROM grants WHERE account_id = $1', [id]);

  it('is answered for the account that signed in to it, also if another one signed in in another tab', async () => {
    const browser = newBrowser();
    const first = await begin(browser);
    const second = await begin(browser);

    const asAda = await signIn(browser, first, ada);
    expect(asAda.html).toContain(ada.email);
    const asBen = await signIn(browser, second, ben);
    expect(new URL(asBen.url).pathname).toMatch(/^\/consent\//);
    expect(asBen.html).toContain(ben.email);

    const done = new URL((await browser.submit(asBen, { decision: 'approve' })).url);
    expect(done.searchParams.get('code')).toMatch(/^bwp_ac_/);
    expect(await grantsOf(ben)).toHaveLength(1);
    expect(await grantsOf(ada)).toHaveLength(0);
    // Ada's pending authorization belongs to her session.
    const late = await browser.submit(asAda, { decision: 'approve' });
    expect(late.status).toBe(404);
    expect(await grantsOf(ada)).toHaveLength(0);
  });

  it('creates one grant for repeated consent', async () => {
    const carol = await createUser(gatehouse, [[tenant, 'member']]);
    const browser = newBrowser();
    const page = await signIn(browser, await begin(browser), carol);
    // Sent again before the redirect was followed.
    const uid = new URL(page.url).pathname;
    const form = {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams([
        ['csrf', /name="csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? ''],
        ['tenant_id', tenant.id],
        ['scope', 'contacts:read'],
        ['decision', 'approve'],
      ]),
    };
    const answers = [await browser.request(uid, form), await browser.request(uid, form)];

    expect(answers.map(({ status }) => status)).toEqual([303, 303]);
    expect(answers[0]?.headers.get('Location')).toBe(answers[1]?.headers.get('Location'));
    expect(await grantsOf(carol)).toHaveLength(1);
  });

  it('expires when its client drops the redirect URI', async () => {
    const confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
    const browser = newBrowser();
    const page = await begin(browser, { client_id: confidential.client_id });
    const changed = await fetch(
      gatehouse.origin + new URL(confidential.registration_client_uri).pathname,
      {
        method: 'PUT',
        headers: {
          Authorization: `Bearer ${confidential.registration_access_token}`,
          'Content-Type': 'application/json',
        },
        body: JSON.stringify({
          client_name: 'Moved',
          redirect_uris: ['https://elsewhere.example.com/cb'],
        }),
      },
    );
    expect(changed.status).toBe(200);

    const answer = await signIn(browser, page, ada);
    expect(answer.status).toBe(404);
    expect(answer.url).not.toContain('app.example.com');
  });
});

describe('a repeated revocation', () => {
  it('writes no second audit entry, for a key or a refresh token', async () => {
    const gatehouse = await createTestApp();
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const key = await gatehouse.createKey(tenant);
    const tokens = await getTokens(gatehouse, { client, user });
    const count = async () => {
      const [row] = await gatehouse.database.query<{ ends: string; entries: string }>(
        `SELECT (SELECT count(*) FROM revocations) AS ends, (SELECT count(*) FROM audit_log) AS entries`,
      );
      return row;
    };
    const end = async () => {
      await post(gatehouse, 'revoke', { token: key.secret });
      const answer = await post(gatehouse, 'revoke', {
        token: tokens.refresh_token ?? '',
        client_id: client.client_id,
      });
      expect(answer.status).toBe(200);
    };
    await end();
    const once = await count();
    await end();
    await end();

    expect(await count()).toEqual(once);
    expect(await authorize(gatehouse, { client, user })).toBeInstanceOf(URL);
    await gatehouse.close();
  });
});
