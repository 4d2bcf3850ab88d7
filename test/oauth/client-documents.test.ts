// OAuth Client ID Metadata Document, by the sections of draft-ietf-oauth-client-id-metadata-document-02.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { useFixture } from '../support/app/use-fixture.js';
import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import { createTestAppBehindProxy, freshAddress } from '../support/app/clients.js';
import { until } from '../support/app/until.js';
import { createCli } from '../support/app/cli.js';
import { createWebServer } from '../support/app/web-server.js';
import { deleteNeedlessRevocations } from '../../src/credentials/revocation/revocation-cleanup.js';
import { runCleanup } from '../../src/server/cleanup.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { DOCUMENTS, publish, REDIRECTS } from '../support/oauth/client-documents.js';
import { refresh, statusOfToken } from '../support/oauth/oauth-requests.js';
import {
  authorize,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  mainOf,
  PASSWORD,
  post,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';

const REDIRECT = 'https://app.example.com/callback';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const PLAIN = { client_name: 'A documented app', redirect_uris: [REDIRECT] };

const gatehouse = useGatehouseBehindProxy({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
const host = useFixture(() => createWebServer());
let tenant: Tenant;
let user: TestUser;
let paths = 0;
beforeAll(async () => {
  tenant = await gatehouse.createTenant('acme');
  user = await createUser(gatehouse, [[tenant, 'company_admin']]);
});
beforeEach(() => {
  host.requested.length = 0;
});

const asClient = (id: string) => ({ client_id: id }) as TestClient;
const freshPath = () => {
  paths += 1;
  return `/client-${paths}.json`;
};
const newBrowser = (address = freshAddress()): Browser =>
  createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER, address });

function start(clientId: string, redirectUri = REDIRECT, browser = newBrowser(), prompt = '') {
  return browser.open(
    authorizeUrl(gatehouse.config.ISSUER, {
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: createPkce().challenge,
      prompt,
    }),
  );
}

/** The error that the page names; empty for a page without an error. */
async function errorOf(clientId: string, redirectUri?: string): Promise<string> {
  const stop = await start(clientId, redirectUri);
  if (stop.status === 200) return '';
  expect(new URL(stop.url).origin).toBe(gatehouse.config.ISSUER);
  return `${stop.status} ${/invalid_client|rate_limited/.exec(stop.html)?.[0]}`;
}
const UNUSABLE = '400 invalid_client';

const isStored = async (clientId: string) =>
  (await gatehouse.database.query('SELECT FROM clients WHERE id = $1', [clientId])).length > 0;
const fetches = (clientId: string) =>
  host.requested.filter((path) => path === new URL(clientId).pathname).length;

describe('documents as apps publish them', () => {
  it.each(REDIRECTS)('%s gets tokens, and new ones, at %s', async (app, redirectUri) => {
    const clientId = publish(host, `/${encodeURIComponent(app)}/client.json`, DOCUMENTS[app] ?? {});
    const browser = newBrowser();
    const login = await start(clientId, redirectUri, browser, 'consent');
    const consent = await browser.submit(login, { email: user.email, password: PASSWORD });
    // §8: the user learns which host is behind the name, and where the answer goes.
    expect(mainOf(consent)).toContain(`127.0.0.1:${host.port}`);
    const target = redirectUri.startsWith('https')
      ? new URL(redirectUri).host
      : redirectUri.replace(/^http:\/\/([^:/]+).*/, 'this device ($1)').replace(/\/\/.*/, '//');
    expect(mainOf(consent)).toContain(target);

    const parameters = { redirect_uri: redirectUri, scope: 'contacts:read offline_access' };
    const tokens = await getTokens(gatehouse, { client: asClient(clientId), user, parameters });
    const refreshed = await refresh(gatehouse, asClient(clientId), tokens.refresh_token);
    expect(refreshed.status).toBe(200);
    const { access_token: token } = (await refreshed.json()) as { access_token: string };
    expect(await statusOfToken(gatehouse, token)).toBe(200);
  });

  it('begin the device grant without an earlier authorization', async () => {
    const clientId = publish(host, freshPath(), DOCUMENTS['VS Code'] ?? {});
    const fields = { client_id: clientId, scope: 'contacts:read' };
    const answer = await post(gatehouse, 'device', fields);

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ device_code: expect.any(String) });
    const unknown = await post(gatehouse, 'device', { client_id: `${clientId}?missing` });
    expect(unknown.status).toBe(401);
  });

  it('are advertised by the metadata (§6)', async () => {
    const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({ client_id_metadata_document_supported: true });
  });
});

describe('a client id', () => {
  it('that is not the URL of a document is not fetched (§3)', async () => {
    const base = `http://127.0.0.1:${host.port}`;
    const path = freshPath();
    publish(host, path, PLAIN);
    const forms = [
      base,
      `${base}/`,
      `${base}/x/..${path}`,
      `${base}/%2e%2e${path}`,
      `${base}${path}#fragment`,
      `http://user@127.0.0.1:${host.port}${path}`,
      `HTTP://127.0.0.1:${host.port}${path}`,
      `http://2130706433:${host.port}${path}`,
      `http://127.1:${host.port}${path}`,
      `${base}${path}?${'x'.repeat(1000)}`,
      `${base}${path}?a,b`,
      `http://client.example.com${path}`,
    ];
    for (const form of forms) expect([form, await errorOf(form)]).toEqual([form, UNUSABLE]);
    expect(host.requested).toEqual([]);
  });

  it('at a private or special-use address is not fetched (§8.6)', async () => {
    for (const name of ['10.0.0.1', '169.254.169.254', '[fd00::1]', 'intranet.corp', 'db']) {
      expect(await errorOf(`https://${name}/client.json`)).toBe(UNUSABLE);
    }
    expect(host.requested).toEqual([]);
  });

  it('must be repeated by the document character by character (§4)', async () => {
    const path = freshPath();
    const clientId = `http://127.0.0.1:${host.port}${path}`;
    for (const other of [`${clientId}/`, clientId.toUpperCase(), 'https://claude.ai/x', '', null]) {
      host.serve(path, { ...PLAIN, client_id: other });
      expect(await errorOf(clientId)).toBe(UNUSABLE);
    }
    host.serve(path, { ...PLAIN, client_id: clientId });
    expect(await errorOf(clientId)).toBe('');
  });

  it('may contain an @, and is revoked and blocked as any other', async () => {
    const clientId = publish(host, '/npm/@scope/client.json', PLAIN);
    const tokens = await getTokens(gatehouse, { client: asClient(clientId), user });
    const cli = createCli(gatehouse.database);

    expect((await cli(['revoke', `${clientId}@${tenant.id}`, '--yes'])).code).toBe(0);
    expect(await statusOfToken(gatehouse, tokens.access_token)).toBe(401);
    await gatehouse.database.shiftClock('200 days');
    await deleteNeedlessRevocations(gatehouse.dataSource.manager);
    await gatehouse.database.shiftClock('0');
    const subject = `${clientId}@${tenant.id}`;
    const kept = await gatehouse.database.query('SELECT FROM revocations WHERE subject = $1', [
      subject,
    ]);
    expect(kept).toHaveLength(1);

    expect((await cli(['clients', 'block', clientId, '--yes'])).code).toBe(0);
    expect(await errorOf(clientId)).toBe(UNUSABLE);
  });
});

describe('a document', () => {
  it.each([
    ['client_name', { ...PLAIN, client_name: '' }],
    ['redirect_uris', { ...PLAIN, redirect_uris: [] }],
    ['a redirect to a public host', { ...PLAIN, redirect_uris: [REDIRECT, 'https://10.0.0.1/cb'] }],
    ['a safe redirect', { ...PLAIN, redirect_uris: ['javascript:alert(1)'] }],
    ['no secret (§4)', { ...PLAIN, client_secret: 'secret' }],
    ['no expiry of a secret (§4)', { ...PLAIN, client_secret_expires_at: 0 }],
    ['no symmetric method', { ...PLAIN, token_endpoint_auth_method: 'client_secret_basic' }],
    ['no symmetric method', { ...PLAIN, token_endpoint_auth_method: 'client_secret_jwt' }],
    ['no private key (§4.1)', { ...PLAIN, jwks: { keys: [{ kty: 'OKP', d: 'x' }] } }],
    ['no symmetric key (§4.1)', { ...PLAIN, jwks: { keys: [{ kty: 'oct', k: 'x' }] } }],
    ['5 KB at most (§8.7)', { ...PLAIN, padding: 'x'.repeat(5 * 1024) }],
  ])('needs %s', async (_what, document) => {
    const clientId = publish(host, freshPath(), document);

    expect(await errorOf(clientId)).toBe(UNUSABLE);
    expect(await isStored(clientId)).toBe(false);
  });

  it('needs status 200, application/json and a JSON object (§5)', async () => {
    const path = freshPath();
    const clientId = publish(host, path, PLAIN);
    const body = JSON.stringify({ client_id: clientId, ...PLAIN });
    const answering = (status: number, headers: Record<string, string>, text = body) => {
      host.pages.set(path, (_request, response) => response.writeHead(status, headers).end(text));
      return errorOf(clientId);
    };
    const elsewhere = { ...JSON_TYPE, Location: `http://127.0.0.1:${host.port}/other` };

    expect(await answering(302, elsewhere)).toBe(UNUSABLE);
    expect(await answering(201, JSON_TYPE)).toBe(UNUSABLE);
    expect(await answering(200, { 'Content-Type': 'text/plain' })).toBe(UNUSABLE);
    for (const text of ['', '[]', 'null', '{', '"x"', '\u00ff']) {
      expect(await answering(200, JSON_TYPE, text)).toBe(UNUSABLE);
    }
    // §5.2: an error is not cached.
    expect(await answering(200, JSON_TYPE)).toBe('');
  });

  it('keeps usable members and a method that both sides know', async () => {
    const clientId = publish(host, freshPath(), {
      ...PLAIN,
      grant_types: ['authorization_code', 'refresh_token', 'urn:example:unknown'],
      token_endpoint_auth_method: 'tls_client_auth',
      token_endpoint_auth_methods_supported: ['tls_client_auth', 'client_secret_post', 'none'],
      client_uri: 'https://192.168.0.1/',
      logo_uri: 'http://app.example.com/logo.png',
      unknown: 'member',
    });
    expect(await errorOf(clientId)).toBe('');

    const { stdout } = await createCli(gatehouse.database)(['clients', 'show', clientId, '--json']);
    const { metadata } = JSON.parse(stdout) as { metadata: object };
    expect(metadata).toEqual({
      ...PLAIN,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
      id_token_signed_response_alg: 'RS256',
    });
  });
});

describe('the copy of a document', () => {
  const after = (interval: string) => gatehouse.database.shiftClock(interval);
  beforeEach(() => after('0'));
  afterAll(() => after('0'));

  it.each([
    ['max-age=600', '590 s', '610 s'],
    ['max-age=0', '55 s', '65 s'],
    ['no-store', '55 s', '65 s'],
    ['max-age=99999999', '23 h', '25 h'],
  ])('with %s is used for %s, not for %s (§5.2)', async (control, fresh, stale) => {
    const clientId = publish(host, freshPath(), PLAIN, { 'Cache-Control': control });
    await start(clientId);
    await after(fresh);
    await start(clientId);
    expect(fetches(clientId)).toBe(1);

    await after(stale);
    await start(clientId);
    expect(fetches(clientId)).toBe(2);
  });

  it('serves while the host is malicious or down, for refreshes too', async () => {
    const broken = await createWebServer();
    const clientId = publish(broken, '/client.json', PLAIN);
    const client = asClient(clientId);
    const tokens = await getTokens(gatehouse, { client, user });
    await after('1 h');
    broken.serve('/client.json', { client_id: clientId, redirect_uris: ['javascript:alert(1)'] });
    expect(await errorOf(clientId)).toBe('');
    broken.pages.set('/client.json', ({ socket }) => socket.destroy());
    for (const _attempt of [1, 2]) expect(await errorOf(clientId)).toBe('');
    expect(broken.requested).toHaveLength(3); // It was left alone after it had failed.
    await broken.close();
    expect(await errorOf(clientId)).toBe('');
    expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
  });

  it('serves while the host is slow, and is replaced once the document has come', async () => {
    const slow = await createWebServer();
    const clientId = publish(slow, '/client.json', PLAIN);
    await start(clientId);
    await after('1 h');
    let answer = () => {};
    const document = JSON.stringify({ ...PLAIN, client_id: clientId, client_name: 'New name' });
    slow.pages.set('/client.json', (_request, response) => {
      answer = () => response.writeHead(200, JSON_TYPE).end(document);
    });
    const started = performance.now();
    expect(await errorOf(clientId)).toBe('');
    expect(performance.now() - started).toBeLessThan(3000);
    answer();
    await until(async () => (await start(clientId)).html.includes('New name'));
    await slow.close();
  });

  it('is fetched once for many requests at a time', async () => {
    const clientId = publish(host, freshPath(), PLAIN);
    const stops = await Promise.all(Array.from({ length: 8 }, () => start(clientId)));

    expect(stops.map(({ status }) => status)).toEqual(stops.map(() => 200));
    expect(fetches(clientId)).toBe(1);
  });

  it('is fetched again after a refresh that found it stale', async () => {
    const path = freshPath();
    const client = asClient(publish(host, path, PLAIN));
    const tokens = await getTokens(gatehouse, { client, user });
    await after('1 h');
    const fetched = new Promise<void>((resolve) => {
      host.pages.set(path, (_request, response) => {
        response.writeHead(404).end();
        resolve();
      });
    });

    expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
    await fetched;
  });

  it.each([
    ['name', { client_name: 'Another name' }],
    ['redirects', { redirect_uris: [REDIRECT, 'https://other.example.com/'] }],
  ])('ends remembered consent by a change of its %s', async (_what, change) => {
    const path = freshPath();
    const clientId = publish(host, path, PLAIN);
    const client = asClient(clientId);
    const browser = newBrowser();
    await authorize(gatehouse, { client, user, browser });
    const remembered = await start(clientId, REDIRECT, browser);
    expect(remembered.url).toMatch(/^https:\/\/app\.example\.com\/callback\?code=/);

    publish(host, path, { ...PLAIN, ...change });
    await after('11 min');
    const asked = await start(clientId, REDIRECT, browser);
    expect(new URL(asked.url).pathname).toMatch(/^\/consent\//);
  });

  it('is deleted if it was never used and there are too many', async () => {
    const count = async () => {
      const [row] = await gatehouse.database.query<{ count: number }>(
        `SELECT count(*)::int FROM clients WHERE document_fresh_until IS NOT NULL AND unused_since IS NOT NULL`,
      );
      return row?.count;
    };
    await gatehouse.database.query(
      `INSERT INTO clients (id, name, metadata, unused_since, document_fresh_until)
       SELECT 'https://flood.example.com/' || n, 'Flood', '{}', gatehouse_now() - n * interval '1 s', gatehouse_now()
       FROM generate_series(1, 10500) n`,
    );
    await runCleanup(gatehouse.dataSource, new AbortController().signal);

    expect(await count()).toBe(10_000);
    await gatehouse.database.query(`DELETE FROM clients WHERE name = 'Flood'`);
  });
});

describe('the operator', () => {
  it('limits the documents that one address makes the server fetch', async () => {
    const address = freshAddress();
    const errors = [];
    for (let n = 0; n < 22; n += 1) {
      const clientId = `http://127.0.0.1:${host.port}/missing-${n}.json`;
      const { status } = await start(clientId, REDIRECT, newBrowser(address));
      errors.push(status);
    }
    expect(errors).toEqual([...Array<number>(20).fill(400), 429, 429]);
    expect(host.requested).toHaveLength(20);
    // Known clients are not limited.
    const known = publish(host, freshPath(), PLAIN);
    await start(known);
    expect((await start(known, REDIRECT, newBrowser(address))).status).toBe(200);
  });

  it('allows and denies hosts', async () => {
    const path = freshPath();
    const clientId = publish(host, path, PLAIN).replace('127.0.0.1', 'localhost');
    host.serve(path, { ...PLAIN, client_id: clientId });
    const opening = async (env: Record<string, string>) => {
      const app = await createTestAppBehindProxy({ OUTBOUND_ALLOW_LOOPBACK: 'true', ...env });
      const browser = createBrowser({ origin: app.origin, issuer: app.config.ISSUER });
      const parameters = { client_id: clientId, code_challenge: createPkce().challenge };
      const { status } = await browser.open(authorizeUrl(app.config.ISSUER, parameters));
      await app.close();
      return status;
    };
    expect(await opening({ CLIENT_DOCUMENT_HOSTS_DENIED: 'localhost' })).toBe(400);
    expect(await opening({ CLIENT_DOCUMENT_HOSTS_ALLOWED: '.example.com' })).toBe(400);
    expect(await opening({ CLIENT_DOCUMENT_HOSTS_ALLOWED: '.example.com,localhost' })).toBe(200);
  });
});
