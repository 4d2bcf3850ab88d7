import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createClientStore } from '../../src/clients/client-store.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  PASSWORD,
  post,
  readForm,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { getCodeForm, statusOfToken } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('consent', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let issuer: string;
  let acme: Tenant;
  let other: Tenant;
  let user: TestUser;
  let client: TestClient;
  let browser: Browser;
  let slugs = 0;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
  });
  beforeEach(async () => {
    slugs += 1;
    acme = await gatehouse.createTenant(`acme-${slugs}`);
    other = await gatehouse.createTenant(`other-${slugs}`);
    user = await createUser(gatehouse, [[acme, 'company_admin']]);
    client = await registerClient(gatehouse);
    browser = createBrowser({ origin: gatehouse.origin, issuer });
  });

  const open = (parameters: Record<string, string> = {}) =>
    browser.open(
      authorizeUrl(issuer, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
        ...parameters,
      }),
    );
  /** The page that is shown, or what the client is told. */
  async function ask(parameters: Record<string, string> = {}): Promise<string> {
    let stop = await open(parameters);
    if (stop.html.includes('name="password"')) {
      stop = await browser.submit(stop, { email: user.email, password: PASSWORD });
    }
    if (stop.html.includes('name="tenant_id"') && !stop.html.includes('name="decision"')) {
      return 'choose';
    }
    if (stop.html.includes('value="approve"')) return 'consent';
    const { searchParams } = new URL(stop.url);
    return searchParams.get('error') ?? (searchParams.has('code') ? 'code' : stop.url);
  }
  const agree = (parameters: Record<string, string> = {}) =>
    authorize(gatehouse, { client, user, browser, parameters });
  const accounts = () => createAccountStore(gatehouse.dataSource.manager);
  const suspend = (tenant: Tenant, isSuspended: boolean) =>
    createTenantStore(gatehouse.dataSource.manager).setSuspended(tenant.id, isSuspended);

  describe('remembered consent', () => {
    it('is not asked again for the same or fewer scopes, in any browser', async () => {
      await agree({ scope: 'contacts:read leads:read' });
      expect(await ask({ scope: 'contacts:read leads:read' })).toBe('code');
      expect(await ask({ scope: 'leads:read' })).toBe('code');
      browser = createBrowser({ origin: gatehouse.origin, issuer });
      expect(await ask({ scope: 'leads:read contacts:read' })).toBe('code');
    });

    it('is asked again when scopes grow', async () => {
      await agree({ scope: 'contacts:read' });
      expect(await ask({ scope: 'contacts:read contacts:write' })).toBe('consent');
      expect(await ask({ scope: 'contacts:read offline_access' })).toBe('consent');
    });

    it('grants the ticked scopes only, and is asked again for the others', async () => {
      const parameters = { scope: 'contacts:read contacts:write leads:read' };
      const ticked = ['contacts:read', 'leads:read'];
      await authorize(gatehouse, { client, user, browser, parameters, scope: ticked });
      expect(await ask({ scope: 'leads:read contacts:read' })).toBe('code');
      expect(await ask({ ...parameters, prompt: 'none' })).toBe('consent_required');
      expect(await ask(parameters)).toBe('consent');
      expect(readForm((await open(parameters)).html).ticked).toEqual([
        'contacts:read',
        'contacts:write',
        'leads:read',
      ]);

      const tokens = await getTokens(gatehouse, { client, user, browser, parameters });
      expect(tokens.scope).toBe('contacts:read contacts:write leads:read');
      expect(await ask(parameters)).toBe('code');
    });

    it('is not asked again for what the role cannot grant', async () => {
      await accounts().setRole(acme.id, user.id, 'viewer');
      const parameters = { scope: 'contacts:read contacts:write' };
      await agree(parameters);
      expect(await ask(parameters)).toBe('code');
      await accounts().setRole(acme.id, user.id, 'member');
      expect(await ask(parameters)).toBe('consent');
    });

    it.each(['http://127.0.0.1/cb', 'http://localhost:80/cb', 'http://[::1]/cb', 'cursor://x/cb'])(
      'is always asked for %s',
      async (redirect) => {
        client = await registerClient(gatehouse, { redirect_uris: [redirect] });
        const parameters = { redirect_uri: redirect };
        await agree(parameters);
        expect(await ask(parameters)).toBe('consent');
        expect(await ask({ ...parameters, prompt: 'none' })).toBe('consent_required');
      },
    );

    it('starts a new token family each time', async () => {
      const first = await getTokens(gatehouse, { client, user });
      const second = await getTokens(gatehouse, { client, user });
      await post(gatehouse, 'revoke', {
        client_id: client.client_id,
        token: first.refresh_token ?? '',
      });
      expect(await statusOfToken(gatehouse, first.access_token)).toBe(401);
      expect(await statusOfToken(gatehouse, second.access_token)).toBe(200);
      expect(await ask()).toBe('code');
    });

    it('does not apply to another account or client', async () => {
      await agree();
      const first = user;
      user = await createUser(gatehouse, [[acme, 'company_admin']]);
      browser = createBrowser({ origin: gatehouse.origin, issuer });
      expect(await ask()).toBe('consent');
      user = first;
      client = await registerClient(gatehouse);
      browser = createBrowser({ origin: gatehouse.origin, issuer });
      expect(await ask()).toBe('consent');
    });
  });

  describe('a user with several tenants', () => {
    beforeEach(() => accounts().join(other.id, user.id, 'viewer'));

    it('grants in the tenant that the user chooses each time', async () => {
      const grantIn = async (tenant: Tenant) => {
        const scope = 'contacts:read contacts:write';
        const flow = { client, user, parameters: { scope }, tenantId: tenant.id };
        const { access_token: token } = await getTokens(gatehouse, flow);
        return gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`);
      };
      expect((await grantIn(acme)).body.data).toMatchObject({
        tenantId: acme.id,
        role: 'company_admin',
        scopes: ['contacts:read', 'contacts:write'],
      });
      expect((await grantIn(other)).body.data).toMatchObject({
        tenantId: other.id,
        role: 'viewer',
        scopes: ['contacts:read'],
      });
      expect(await ask()).toBe('choose');
      expect(await ask({ prompt: 'none' })).toBe('consent_required');
    });

    it('is asked in each of them', async () => {
      await authorize(gatehouse, { client, user, browser, tenantId: acme.id });
      const first = await browser.submit(await open(), { tenant_id: acme.id });
      expect(new URL(first.url).searchParams.has('code')).toBe(true);
      const second = await browser.submit(await open(), { tenant_id: other.id });
      expect(second.html).toContain('value="approve"');
      const back = await browser.submit(second, { decision: 'choose_tenant' });
      expect(back.html).toContain(acme.name);
    });

    it('is refused for a tenant that the user does not belong to', async () => {
      const stranger = await gatehouse.createTenant(`stranger-${slugs}`);
      expect(await ask()).toBe('choose');
      const page = await open();
      for (const id of [stranger.id, 'tnt_x', '\0', '']) {
        const stop = await browser.submit(page, { tenant_id: id });
        expect(new URL(stop.url).origin).toBe(issuer);
        expect(stop.html).not.toContain(stranger.name);
        expect(stop.html).not.toContain('value="approve"');
      }
      const fields = { tenant_id: stranger.id, decision: 'approve', scope: 'contacts:read' };
      const forced = await browser.submit(page, fields);
      expect(new URL(forced.url).origin).toBe(issuer);
      const rows = await gatehouse.database.query('SELECT FROM grants WHERE tenant_id = $1', [
        stranger.id,
      ]);
      expect(rows).toEqual([]);
    });

    it('does not offer a tenant that is suspended or blocks the client', async () => {
      await suspend(other, true);
      expect(await ask()).toBe('consent');
      await suspend(other, false);
      await createClientStore(gatehouse.dataSource.manager).setBlocked(
        client.client_id,
        other.id,
        true,
      );
      expect(await ask()).toBe('consent');
    });
  });

  it('answers temporarily_unavailable while the only tenant is suspended', async () => {
    await agree();
    await suspend(acme, true);
    expect(await ask()).toBe('temporarily_unavailable');
    await suspend(acme, false);
    expect(await ask()).toBe('code');
  });

  it('answers access_denied to a user without a tenant', async () => {
    await agree();
    await accounts().leave(acme.id, user.id);
    expect(await ask()).toBe('access_denied');
  });

  it('answers access_denied where the tenant blocks the client', async () => {
    await agree();
    const clients = createClientStore(gatehouse.dataSource.manager);
    await clients.setBlocked(client.client_id, acme.id, true);
    expect(await ask()).toBe('access_denied');
  });

  it('is not asked once the operator blocked the client', async () => {
    const form = await getCodeForm(gatehouse, { client, user });
    const clients = createClientStore(gatehouse.dataSource.manager);
    await clients.setBlocked(client.client_id, null, true);
    expect((await open()).status).toBe(400);
    expect((await post(gatehouse, 'token', form)).status).toBe(401);
  });

  it('grants what a role that shrank since the page still delegates', async () => {
    const parameters = { scope: 'contacts:read contacts:write' };
    const page = await browser.submit(await open(parameters), {
      email: user.email,
      password: PASSWORD,
    });
    await accounts().setRole(acme.id, user.id, 'viewer');
    const stop = await browser.submit(page, { decision: 'approve' });
    expect(new URL(stop.url).searchParams.has('code')).toBe(true);
    const [grant] = await gatehouse.database.query<{ scopes: string[] }>(
      'SELECT scopes FROM grants WHERE account_id = $1',
      [user.id],
    );
    expect(grant?.scopes).toEqual(['contacts:read']);
  });
});
