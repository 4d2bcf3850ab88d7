import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestApp } from '../support/app/app.js';
import { createTestAppBehindProxy } from '../support/app/clients.js';
import { GATEWAYS } from '../support/gateways/gateways.js';
import { createUser, getTokens, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { findFreePort } from '../support/process/free-port.js';
import type { Program } from '../support/process/programs.js';

const BODY = 'a body that only the service reads';
/** An address of this machine that is not in `TRUST_PROXY`. */
const CLIENT = '127.0.0.7';
const TENANT_LIMIT = 1000;
/** The tenant's id in the operator's own systems. */
const EXTERNAL_ID = 'customer-1';

/** A request as the service behind the gateway received it. */
interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe.each(Object.entries(GATEWAYS))('the guide behind %s', (name, start) => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  let user: TestUser;
  let folder: string;
  let gateway: Program;
  let closeService: () => Promise<void>;
  let served: Received[];

  beforeAll(async () => {
    gatehouse = await createTestAppBehindProxy({
      RATE_LIMIT_TENANT_PER_HOUR: String(TENANT_LIMIT),
    });
    tenant = await gatehouse.createTenant('acme');
    const named = [tenant.id, EXTERNAL_ID];
    await gatehouse.database.query('UPDATE tenants SET external_id = $2 WHERE id = $1', named);
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-gateway-'));
    served = [];
    const service = createServer(async (incoming, response) => {
      const { method = '', url = '', headers } = incoming;
      served.push({ method, url, headers, body: await text(incoming) });
      response.writeHead(201, { 'X-Service': 'here' }).end('from the service');
    }).listen(0, '127.0.0.1');
    await once(service, 'listening');
    closeService = () => {
      service.closeAllConnections();
      return new Promise((resolve) => service.close(() => resolve()));
    };
    gateway = await start({
      port: await findFreePort(),
      gatehouse: Number(new URL(gatehouse.origin).port),
      service: (service.address() as AddressInfo).port,
      folder,
    });
  }, 30_000);
  afterAll(async () => {
    await gateway.stop();
    await closeService();
    await gatehouse.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Sends a request to the gateway, from an address of this machine. */
  async function ask(
    headers: Readonly<Record<string, string | readonly string[]>>,
    { method = 'GET', from = CLIENT, path = '/things?scope=leads:read&limit_status=403' } = {},
  ) {
    const before = served.length;
    const outgoing = request(gateway.origin + path, {
      method,
      headers: headers as Record<string, string>,
      localAddress: from,
      agent: false,
    });
    outgoing.end(method === 'POST' ? BODY : undefined);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    return {
      status: incoming.statusCode,
      headers: incoming.headers,
      challenges: incoming.rawHeaders.filter((name) => /^www-authenticate$/i.test(name)).length,
      text: await text(incoming),
      received: served.slice(before),
    };
  }

  it('admits a key and a token, and describes their principals to the service', async () => {
    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const byKey = await ask({ 'X-API-Key': key.secret }, { method: 'POST' });
    expect(byKey).toMatchObject({ status: 201, text: 'from the service' });
    expect(byKey.headers['x-service']).toBe('here');
    expect(byKey.received).toMatchObject([
      {
        method: 'POST',
        url: '/things?scope=leads:read&limit_status=403',
        body: BODY,
        headers: {
          'x-auth-tenant': tenant.id,
          'x-auth-principal-kind': 'tenant',
          'x-auth-credential': key.id,
          'x-auth-scopes': 'contacts:read',
          'x-auth-spaces': '*',
          'x-auth-environment': 'live',
          'x-auth-external-id': EXTERNAL_ID,
        },
      },
    ]);
    const client = await registerClient(gatehouse);
    const { access_token: token } = await getTokens(gatehouse, { client, user });
    const byToken = await ask({ Authorization: `Bearer ${token}` });
    expect(byToken.status).toBe(201);
    expect(byToken.received[0]?.headers).toMatchObject({
      'x-auth-principal-kind': 'user',
      'x-auth-client': client.client_id,
      'x-auth-user': user.id,
      'x-auth-role': 'manager',
    });
  });

  it('overwrites the X-Auth headers of a client, also those without a value', async () => {
    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const described = await gatehouse.http.get('/api/v1/forward-auth/').set(key.bearer);
    const names = Object.keys(described.headers).filter((name) => name.startsWith('x-auth-'));
    expect(names).toContain('x-auth-external-id');
    const forged = names.flatMap((name): [string, string][] => [
      [name, 'forged'],
      [name.toUpperCase(), 'forged'],
    ]);
    const headers = { ...Object.fromEntries(forged), ...key.bearer };
    const { received } = await ask(headers);
    expect(JSON.stringify(received)).not.toContain('forged');
    expect(received[0]?.headers['x-auth-user'] ?? '').toBe('');
    // CGI and WSGI do not distinguish these names.
    for (const prefix of ['x_auth_', 'x_auth-', 'x-auth_', 'X_AUTH_']) {
      const alike = names.map((name) => [prefix + name.slice('x-auth-'.length), 'forged'] as const);
      const answer = await ask({ ...Object.fromEntries(alike), ...key.bearer });
      expect(JSON.stringify(answer.received)).not.toContain('forged');
    }
    // Proxies remove the headers that `Connection` lists.
    const hidden = { ...key.bearer, Connection: 'close, x-auth-tenant, x-forwarded-for' };
    for (const { headers: seen } of (await ask(hidden)).received) {
      expect(seen['x-auth-tenant']).toBe(tenant.id);
    }
    expect(received[0]?.headers['x-auth-role'] ?? '').toBe('');
  });

  it('refuses a revoked key at the next request', async () => {
    const key = await gatehouse.createKey(tenant);
    expect((await ask(key.bearer)).status).toBe(201);
    await gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(key.bearer).expect(204);
    const refused = await ask(key.bearer);
    expect(refused).toMatchObject({ status: 401, challenges: 1, received: [] });
    expect(refused.headers['www-authenticate']).toContain('error="invalid_token"');
  });

  it('refuses requests without a credential, with two of them, or without the scope', async () => {
    const none = await ask({});
    expect(none).toMatchObject({ status: 401, challenges: 1, received: [] });
    expect(none.headers['www-authenticate']).toMatch(/^Bearer realm="api", scope="contacts:read"/);
    expect(none.headers['content-type']).toContain('application/problem+json');
    const narrow = await gatehouse.createKey(tenant, { scopes: ['leads:read'] });
    const denied = await ask(narrow.bearer);
    expect(denied).toMatchObject({ status: 403, challenges: 1, received: [] });
    expect(denied.headers['www-authenticate']).toContain('error="insufficient_scope"');
    const key = await gatehouse.createKey(tenant);
    const two = await ask({ ...key.bearer, 'X-API-Key': key.secret });
    expect([400, 401]).toContain(two.status);
    expect(two.received).toEqual([]);
  });

  it('counts by the method of the client, and answers 429 with Retry-After', async () => {
    const busy = await gatehouse.createTenant('busy');
    const limited = await gatehouse.createKey(busy, { rateLimitPerMinute: 1 });
    const headers = { ...limited.bearer, 'X-Forwarded-Method': 'GET' };
    expect((await ask(headers, { method: 'POST' })).status).toBe(201);
    const spent = await ask(limited.bearer);
    expect(spent).toMatchObject({ status: 429, received: [] });
    expect(spent.headers['retry-after']).toMatch(/^\d+$/);
    // A change costs five units, and this request one.
    const other = await gatehouse.createKey(busy);
    const direct = await gatehouse.http.get('/api/v1/forward-auth/').set(other.bearer);
    expect(direct.headers['ratelimit-tenant-remaining']).toBe(String(TENANT_LIMIT - 6));
  });

  it('judges allow-lists by the address of the client, whatever it forwards', async () => {
    const listed = await gatehouse.createKey(tenant, { allowedIps: [CLIENT] });
    expect((await ask(listed.bearer)).status).toBe(201);
    const addresses = [CLIENT, `${CLIENT}, 127.0.0.1`, [CLIENT, '127.0.0.1']];
    for (const forged of addresses) {
      const headers = {
        ...listed.bearer,
        'X-Forwarded-For': forged,
        Connection: 'x-forwarded-for',
      };
      const { status, received } = await ask(headers, { from: '127.0.0.8' });
      expect({ forged, status, received }).toEqual({ forged, status: 401, received: [] });
    }
  });

  it('refuses everything while Gatehouse is not reachable', async () => {
    const key = await gatehouse.createKey(tenant);
    const alone = await start({
      port: await findFreePort(),
      gatehouse: await findFreePort(),
      service: await findFreePort(),
      folder: join(folder, 'alone'),
    });
    const { status } = await fetch(alone.origin, { headers: key.bearer });
    await alone.stop();
    expect(status).toBe(name === 'Traefik' ? 500 : 503);
  });
});
