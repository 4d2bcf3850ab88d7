import { beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';

import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCredential } from '../support/app/credentials.js';
import { createUser, getTokens, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { expectOAuthError } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('GET and POST /api/v1/oauth/userinfo', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let user: TestUser;
  let token: string;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    const client = await registerClient(gatehouse);
    ({ access_token: token } = await getTokens(gatehouse, { client, user }));
  });

  const ask = (headers: Record<string, string>, method = 'GET') =>
    fetch(`${gatehouse.origin}/api/v1/oauth/userinfo`, { method, headers });
  const bearer = (raw: string) => ({ Authorization: `Bearer ${raw}` });

  describe('200', () => {
    it('returns the claims of the user for any scopes', async () => {
      for (const method of ['GET', 'POST']) {
        const answer = await ask(bearer(token), method);
        expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/);
        expect(answer.headers.get('Cache-Control')).toContain('no-store');
        expect(await answer.json()).toEqual({
          sub: user.id,
          tenant_id: tenant.id,
          email: user.email,
          name: 'Ada Example',
          role: 'manager',
          scopes: ['contacts:read', 'offline_access'],
        });
      }
    });

    it('answers HEAD with the length only, and the next request of the connection', async () => {
      const whole = await (await ask(bearer(token))).text();
      const lines = ['Host: x', `Authorization: Bearer ${token}`];
      const path = '/api/v1/oauth/userinfo HTTP/1.1';
      const sent = [`HEAD ${path}`, ...lines, '', `GET ${path}`, ...lines, 'Connection: close'];
      const { port, hostname } = new URL(gatehouse.origin);
      const socket = connect(Number(port), hostname);
      socket.write(`${sent.join('\r\n')}\r\n\r\n`);
      const [head, next, body] = (await textOf(socket)).split('\r\n\r\n');
      expect(head).toContain(`Content-Length: ${whole.length}`);
      expect(next).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(body).toBe(whole);
    });

    it('omits the name of an account without one', async () => {
      await gatehouse.database.query('UPDATE accounts SET name = NULL WHERE id = $1', [user.id]);
      const said: unknown = await (await ask(bearer(token))).json();
      await gatehouse.database.query('UPDATE accounts SET name = $2 WHERE id = $1', [
        user.id,
        'Ada Example',
      ]);
      expect(said).toMatchObject({ sub: user.id, email: user.email });
      expect(said).not.toHaveProperty('name');
    });

    it('returns the key, for every way to present it', async () => {
      const { id, secret } = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
      const said = { sub: id, tenant_id: tenant.id, scopes: ['leads:read'] };
      for (const headers of [
        bearer(secret),
        { Authorization: `Token ${secret}` },
        { 'X-API-Key': secret },
        { 'X-Bwp-Api-Token': secret },
      ]) {
        expect(await (await ask(headers)).json()).toEqual(said);
      }
    });

    it('answers keys of every kind', async () => {
      for (const kind of ['publishable', 'personal', 'service', 'agent', 'organization'] as const) {
        const { id, secret } = await createCredential(gatehouse, tenant, kind, ['products:read']);
        expect(await (await ask({ 'X-API-Key': secret })).json()).toMatchObject({ sub: id });
      }
    });
  });

  describe('401', () => {
    it('answers requests without a credential', async () => {
      const answer = await ask({});
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer realm=/);
      expect(answer.headers.get('WWW-Authenticate')).not.toContain('error=');
      expect(answer.status).toBe(401);
    });

    it('answers invalid credentials, with resource_metadata', async () => {
      const { format } = gatehouse;
      for (const raw of ['garbage', format.mint('at'), format.mint('rt'), format.mint('live')]) {
        const answer = await ask(bearer(raw));
        expect(answer.headers.get('WWW-Authenticate')).toMatch(
          /^Bearer .*error="invalid_token".*resource_metadata="/,
        );
        await expectOAuthError(answer, 401, 'invalid_token');
      }
    });

    it('answers an expired token', async () => {
      await gatehouse.database.shiftClock('3601 seconds');
      const answer = await ask(bearer(token));
      await gatehouse.database.shiftClock('0 seconds');
      await expectOAuthError(answer, 401, 'invalid_token');
    });

    it('answers a token in the URL', async () => {
      const url = `${gatehouse.origin}/api/v1/oauth/userinfo`;
      for (const name of ['access_token', 'auth_token']) {
        expect((await fetch(`${url}?${name}=${token}`)).status).toBe(401);
      }
    });
  });

  it('refuses two credentials at once', async () => {
    const answer = await ask({ ...bearer(token), 'X-API-Key': token });
    await expectOAuthError(answer, 400, 'invalid_request');
  });

  it('answers temporarily_unavailable while the tenant is suspended', async () => {
    const tenants = createTenantStore(gatehouse.dataSource.manager);
    await tenants.setSuspended(tenant.id, true);
    const answer = await ask(bearer(token));
    await tenants.setSuspended(tenant.id, false);
    await expectOAuthError(answer, 503, 'temporarily_unavailable');
    expect((await ask(bearer(token))).status).toBe(200);
  });

  it('answers 405 to other methods', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      await expectOAuthError(await ask(bearer(token), method), 405, 'invalid_request');
    }
  });

  it('answers 503 while the database is unavailable', async () => {
    await gatehouse.database.lock();
    const answer = await ask(bearer(token));
    await gatehouse.database.unlock();
    await expectOAuthError(answer, 503, 'temporarily_unavailable');
  });
});
