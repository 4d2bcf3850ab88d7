// MCP authorization, revision 2026-07-28: its demands of authorization servers and of protected resources, by its headings.
import { beforeAll, describe, expect, it } from '@jest/globals';

import { useFixture } from '../support/app/use-fixture.js';
import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import { createWebServer } from '../support/app/web-server.js';
import { publish } from '../support/oauth/client-documents.js';
import { addResourceServer } from '../support/oauth/resource-servers.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  mainOf,
  PASSWORD,
  post,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { refresh, statusOfToken } from '../support/oauth/oauth-requests.js';

const LOOPBACK = 'http://localhost:3118/callback';

const gatehouse = useGatehouseBehindProxy({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
const host = useFixture(() => createWebServer());
let issuer: string;
let api: string;
let user: TestUser;
let client: TestClient;
beforeAll(async () => {
  issuer = gatehouse.config.ISSUER;
  api = `${issuer}/api/v1`;
  user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  const client_id = publish(host, '/mcp-client.json', {
    client_name: 'An MCP client',
    redirect_uris: ['http://127.0.0.1:3000/callback', 'http://localhost:3000/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  });
  client = { client_id } as TestClient;
});

const metadata = async (name = 'oauth-authorization-server') =>
  (await gatehouse.http.get(`/.well-known/${name}`)).body as Record<string, unknown>;
const newBrowser = () => createBrowser({ origin: gatehouse.origin, issuer });
const open = (parameters: Readonly<Record<string, string>>, browser = newBrowser()) =>
  browser.open(
    authorizeUrl(issuer, {
      client_id: client.client_id,
      redirect_uri: LOOPBACK,
      code_challenge: createPkce().challenge,
      ...parameters,
    }),
  );
const tokens = (parameters: Readonly<Record<string, string>>) =>
  getTokens(gatehouse, { client, user, parameters: { redirect_uri: LOOPBACK, ...parameters } });

describe('Overview, Authorization Server Discovery', () => {
  it('both discovery documents exist, and say that PKCE is supported', async () => {
    const found = await metadata();
    expect(await metadata('openid-configuration')).toEqual(found);
    expect(found).toMatchObject({
      issuer,
      code_challenge_methods_supported: ['S256'],
      client_id_metadata_document_supported: true,
      authorization_response_iss_parameter_supported: true,
    });
    expect(found['registration_endpoint']).toEqual(expect.any(String));
  });

  it('the protected resource names its authorization server and a minimal set of scopes', async () => {
    const found = await metadata('oauth-protected-resource/api/v1');
    expect(found).toMatchObject({ resource: api, authorization_servers: [issuer] });
    expect(found['scopes_supported']).not.toContain('offline_access');
  });
});

describe('Scope Selection Strategy, Scope Challenge Handling', () => {
  it('a 401 names the metadata and the scopes of the route', async () => {
    const { status, headers } = await gatehouse.http.get('/api/v1/contacts');
    const challenge = headers['www-authenticate'] ?? '';
    expect([status, challenge]).toEqual([401, expect.stringContaining('scope="contacts:read"')]);
    expect(challenge).toContain(
      `resource_metadata="${issuer}/.well-known/oauth-protected-resource/api/v1"`,
    );
  });

  it('a 403 names all scopes of the operation, and the step up adds them', async () => {
    const narrow = await tokens({ scope: 'contacts:read' });
    const refused = await gatehouse.http
      .post('/api/v1/contacts')
      .set('Authorization', `Bearer ${narrow.access_token}`)
      .send({ type: 'customer' });
    expect(refused.status).toBe(403);
    const challenge = refused.headers['www-authenticate'] ?? '';
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="contacts:write"');
    const wide = await tokens({ scope: 'contacts:read contacts:write' });
    expect(wide.scope).toBe('contacts:read contacts:write');
  });
});

describe('Client Registration', () => {
  it('by a document: its client_id, its structure and its redirect URIs are checked', async () => {
    const good = await open({});
    expect(good.status).toBe(200);
    for (const [path, document] of [
      ['/other-id.json', '{"client_id":"https://elsewhere.example/x"}'],
      ['/not-json.json', '{'],
      ['/incomplete.json', `{"client_id":"http://127.0.0.1:${host.port}/incomplete.json"}`],
    ] as const) {
      host.serve(path, document);
      const stop = await open({ client_id: `http://127.0.0.1:${host.port}${path}` });
      expect([path, stop.status, new URL(stop.url).origin]).toEqual([path, 400, issuer]);
    }
    const elsewhere = await open({ redirect_uri: 'https://evil.example/callback' });
    expect([elsewhere.status, new URL(elsewhere.url).origin]).toEqual([400, issuer]);
  });

  it('by registration: native redirects need no application_type', async () => {
    const answer = await gatehouse.http.post('/api/v1/oauth/register').send({
      client_name: 'An older MCP client',
      redirect_uris: [LOOPBACK, 'cursor://anysphere.cursor-mcp/oauth/callback'],
    });
    expect([answer.status, answer.body.application_type]).toEqual([201, 'native']);
  });
});

describe('Resource Parameter Implementation, Token Audience Binding', () => {
  it('tokens are for the named server only, in any spelling of its URI', async () => {
    const server = await addResourceServer(gatehouse, 'https://mcp.example.com/server/mcp');
    const resource = 'HTTPS://MCP.example.com:443/server/mcp/';
    const { access_token: token } = await tokens({ resource });
    const seen = await post(gatehouse, 'introspect', { token }, server.bearer);
    expect(await seen.json()).toMatchObject({ active: true, aud: server.identifier });
    expect(await statusOfToken(gatehouse, token)).toBe(401);
    const own = await tokens({ resource: api });
    const unseen = await post(gatehouse, 'introspect', { token: own.access_token }, server.bearer);
    expect(await unseen.json()).toEqual({ active: false });
  });

  it('an unknown server is refused', async () => {
    const own = newBrowser();
    const login = await open({}, own);
    await own.submit(login, { email: user.email, password: PASSWORD });
    const stop = await open({ resource: 'https://unknown.example/mcp' }, own);
    const { searchParams } = new URL(stop.url);
    expect(searchParams.get('error')).toBe('invalid_target');
    // Authorization Response Validation: error responses have it, too.
    expect(searchParams.get('iss')).toBe(issuer);
  });
});

describe('Security Considerations', () => {
  it('Token Theft: access tokens live for an hour, and refresh tokens of public clients rotate', async () => {
    const first = await tokens({ scope: 'contacts:read offline_access' });
    expect(first.expires_in).toBeLessThanOrEqual(3600);
    const answer = await refresh(gatehouse, client, first.refresh_token);
    const { refresh_token: next } = (await answer.json()) as { refresh_token: string };
    expect(next).not.toBe(first.refresh_token);
  });

  it('Localhost Redirect URI Risks: the consent page names the host, warns, and is always shown', async () => {
    const own = newBrowser();
    const login = await open({}, own);
    let consent = await own.submit(login, { email: user.email, password: PASSWORD });
    for (let round = 0; round < 2; round += 1) {
      expect(new URL(consent.url).pathname).toMatch(/^\/consent\//);
      const text = mainOf(consent);
      expect(text).toContain('The access goes to a program on this device (localhost)');
      expect(text).toContain(`127.0.0.1:${host.port}`);
      const end = await own.submit(consent, { decision: 'approve' });
      expect(end.url.startsWith(`${LOOPBACK}?code=`)).toBe(true);
      consent = await open({}, own);
    }
  });

  it('Communication Security: redirect URIs are https, loopback, or private-use schemes', async () => {
    for (const uri of ['http://app.example.com/callback', 'ws://localhost/x', 'javascript:x']) {
      const answer = await gatehouse.http
        .post('/api/v1/oauth/register')
        .send({ client_name: 'x', redirect_uris: [uri] });
      expect([uri, answer.body.error]).toEqual([uri, 'invalid_redirect_uri']);
    }
  });
});
