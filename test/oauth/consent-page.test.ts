import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  PASSWORD,
  readForm,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('the consent page', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let acme: Tenant;
  let user: TestUser;
  let client: TestClient;
  let browser: Browser;
  beforeAll(async () => {
    acme = await gatehouse.createTenant('acme');
  });
  beforeEach(async () => {
    user = await createUser(gatehouse, [[acme, 'company_admin']]);
    client = await registerClient(gatehouse);
    browser = createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
  });

  const open = (parameters: Record<string, string>) =>
    browser.open(
      authorizeUrl(gatehouse.config.ISSUER, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
        ...parameters,
      }),
    );

  it('lets another account sign in to the same authorization', async () => {
    const ben = await createUser(gatehouse, [[acme, 'viewer']]);
    const parameters = { scope: 'openid contacts:read', state: 'a&b=c é', nonce: 'n' };
    const page = await browser.submit(await open(parameters), {
      email: user.email,
      password: PASSWORD,
    });
    const login = await browser.submit(page, { decision: 'switch_account' });
    expect(new URL(login.url).pathname).toMatch(/^\/login\//);
    const theirs = await browser.submit(login, { email: ben.email, password: PASSWORD });
    expect(theirs.html).toContain(ben.email);
    expect(theirs.html).not.toContain(user.email);
    const done = new URL((await browser.submit(theirs, { decision: 'approve' })).url);
    expect(done.searchParams.get('state')).toBe(parameters.state);
    const grants = await gatehouse.database.query(
      'SELECT account_id FROM grants WHERE client_id = $1',
      [client.client_id],
    );
    expect(grants).toEqual([{ account_id: ben.id }]);
  });

  describe('with OpenID Connect scopes', () => {
    const parameters = { scope: 'openid profile email contacts:read offline_access' };

    it('shows no tick for them, and lists what an app always sees', async () => {
      const page = await browser.submit(await open(parameters), {
        email: user.email,
        password: PASSWORD,
      });
      expect(readForm(page.html).boxes).toEqual(['contacts:read', 'offline_access']);
      expect(page.html).toContain('It will always see');
      for (const fact of ['your name and email address', 'organization, and your role']) {
        expect(page.html).toContain(
          `<li>${fact}`.replace('<li>organization', '<li>the organization'),
        );
      }
      expect(page.html).toContain('Stay connected while you are away');
    });

    it('grants them with the ticked scopes', async () => {
      const flow = { client, user, browser, parameters };
      const tokens = await getTokens(gatehouse, { ...flow, scope: ['contacts:read'] });
      expect(tokens.scope).toBe('contacts:read openid profile email');
      const again = await open({ scope: 'openid email contacts:read' });
      expect(new URL(again.url).searchParams.has('code')).toBe(true);
    });

    it('accepts them alone', async () => {
      const flow = { client, user, browser, parameters: { scope: 'openid email' } };
      expect((await getTokens(gatehouse, flow)).scope).toBe('openid email');
    });
  });

  it('summarizes many scopes in one sentence', async () => {
    const names = ['contacts', 'leads', 'projects', 'bids'].flatMap((name) => [
      `${name}:read`,
      `${name}:write`,
    ]);
    const page = await browser.submit(await open({ scope: names.join(' ') }), {
      email: user.email,
      password: PASSWORD,
    });
    expect(page.html).toContain('Read 4 kinds of records and change 4.');
  });

  it('shortens a long name in its heading, and shows it in full below', async () => {
    const name = `Long ${'name '.repeat(30)}end`;
    client = await registerClient(gatehouse, { client_name: name });
    const page = await browser.submit(await open({}), {
      email: user.email,
      password: PASSWORD,
    });
    const [, heading = ''] = /<h1>(.*?)<\/h1>/s.exec(page.html) ?? [];
    expect(heading).toContain('…');
    expect(heading).not.toContain('end');
    expect(page.html).toContain(`<bdi>${name}</bdi>`);
  });
});
