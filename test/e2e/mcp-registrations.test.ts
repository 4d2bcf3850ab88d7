import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { approve, authorizeUrl, createPkce, createUser, post } from '../support/oauth/oauth.js';
import type { TestUser, TokenResponse } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

type Metadata = Readonly<Record<string, unknown>> & { readonly redirect_uris: readonly string[] };

const CODE_AND_REFRESH = ['authorization_code', 'refresh_token'];
const KEPT_GRANT_TYPES = [...CODE_AND_REFRESH, 'urn:ietf:params:oauth:grant-type:device_code'];

/** Registrations of MCP clients, with their unknown and empty members. */
const REGISTRATIONS: Readonly<Record<string, Metadata>> = {
  Claude: {
    client_name: 'Claude',
    redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    scope: 'contacts:read contacts:write offline_access claudeai',
    client_uri: 'https://claude.ai',
    logo_uri: '',
  },
  'Claude Code': {
    client_name: 'Claude Code (gatehouse)',
    redirect_uris: ['http://localhost:54545/callback'],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  ChatGPT: {
    client_name: 'ChatGPT',
    redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    application_type: 'web',
    client_uri: null,
    logo_uri: null,
    scope: null,
    contacts: null,
    tos_uri: null,
    policy_uri: null,
    jwks_uri: null,
    jwks: null,
    software_id: null,
    software_version: null,
  },
  'ChatGPT with a secret': {
    client_name: 'ChatGPT',
    redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_post',
    scope: '',
    contacts: [],
  },
  Cursor: {
    client_name: 'Cursor',
    redirect_uris: [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
    ],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    client_uri: 'https://cursor.com',
    logo_uri: 'https://cursor.com/logo.svg',
    software_statement: '',
  },
  'VS Code': {
    client_name: 'Visual Studio Code',
    client_uri: 'https://code.visualstudio.com',
    grant_types: [...CODE_AND_REFRESH, 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: [
      'https://insiders.vscode.dev/redirect',
      'https://vscode.dev/redirect',
      'http://127.0.0.1/',
      'http://127.0.0.1:33418/',
    ],
    scope: 'contacts:read offline_access profile vscode:anything',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  },
  'MCP Inspector': {
    client_name: 'MCP Inspector',
    redirect_uris: [
      'http://localhost:6274/oauth/callback',
      'http://localhost:6274/oauth/callback/debug',
    ],
    grant_types: CODE_AND_REFRESH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    client_uri: 'https://github.com/modelcontextprotocol/inspector',
    scope: '',
    id_token_signed_response_alg: 'RS256',
    require_auth_time: false,
    default_max_age: 0,
  },
};

const EVERY_REDIRECT = Object.entries(REGISTRATIONS).flatMap(([name, { redirect_uris: uris }]) =>
  uris.map((uri) => [name, uri] as const),
);

describe('registrations as MCP clients send them', () => {
  const gatehouse = useGatehouse();
  let user: TestUser;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'manager']]);
  });
  // One address would exceed its limit of new clients.
  beforeEach(() => gatehouse.database.query('DELETE FROM attempts'));

  async function register(metadata: Metadata) {
    const answer = await gatehouse.http.post('/api/v1/oauth/register').send(metadata);
    expect(answer.status).toBe(201);
    return answer.body as Record<string, string> & { client_id: string };
  }

  it.each(EVERY_REDIRECT)('%s gets tokens, and new ones, at %s', async (name, redirectUri) => {
    const { client_id: id, client_secret: secret } = await register(
      REGISTRATIONS[name] as Metadata,
    );
    const authentication = {
      client_id: id,
      ...(secret !== undefined && { client_secret: secret }),
    };
    const { verifier, challenge } = createPkce();
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: id,
      redirect_uri: redirectUri,
      scope: 'contacts:read offline_access',
      code_challenge: challenge,
      resource: `${gatehouse.config.ISSUER}/api/v1`,
    });
    const callback = await approve(gatehouse, url, { user });
    expect(callback.href.startsWith(`${redirectUri}?code=bwp_ac_`)).toBe(true);
    expect(callback.searchParams.get('state')).toBe('some-state');

    const exchange = await post(gatehouse, 'token', {
      grant_type: 'authorization_code',
      ...authentication,
      code_verifier: verifier,
      code: callback.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
    });
    expect(exchange.status).toBe(200);
    const tokens = (await exchange.json()) as TokenResponse;
    expect(tokens).toMatchObject({ scope: 'contacts:read offline_access' });
    const refresh = await post(gatehouse, 'token', {
      grant_type: 'refresh_token',
      ...authentication,
      refresh_token: tokens.refresh_token ?? '',
    });
    expect(refresh.status).toBe(200);
    const { access_token: token } = (await refresh.json()) as TokenResponse;
    const contacts = await gatehouse.http
      .get('/api/v1/contacts')
      .set('Authorization', `Bearer ${token}`);
    expect(contacts.status).toBe(200);
  });

  it.each(Object.keys(REGISTRATIONS))(
    '%s reads the stored metadata in the response',
    async (name) => {
      const sent = REGISTRATIONS[name] as Metadata;
      const kept = await register(sent);
      expect(kept).toMatchObject({
        client_name: sent['client_name'],
        redirect_uris: sent.redirect_uris,
        grant_types: KEPT_GRANT_TYPES.filter((type) =>
          (sent['grant_types'] as string[]).includes(type),
        ),
        response_types: ['code'],
        token_endpoint_auth_method: sent['token_endpoint_auth_method'],
      });
      for (const value of Object.values(kept)) expect([null, '']).not.toContain(value);
      expect(kept['scope'] ?? '').not.toMatch(/claudeai|vscode/);
    },
  );

  it('gives public apps one client each, for repeated registrations', async () => {
    const { Cursor: sent } = REGISTRATIONS;
    const first = await register(sent as Metadata);
    const again = await register({ ...(sent as Metadata), tos_uri: null, scope: undefined });
    expect(again.client_id).toBe(first.client_id);
    expect(again.client_id).toMatch(/^cli_[0-9a-f]{32}$/);
  });

  it('redirects to any port of the registered loopback address, and to no other address', async () => {
    const { client_id: id } = await register(REGISTRATIONS['VS Code'] as Metadata);
    const authorize = (redirectUri: string) => {
      const parameters = { client_id: id, redirect_uri: redirectUri };
      const { challenge } = createPkce();
      const { ISSUER: issuer } = gatehouse.config;
      const url = authorizeUrl(issuer, { ...parameters, code_challenge: challenge });
      return approve(gatehouse, url, { user });
    };
    const callback = await authorize('http://127.0.0.1:50123/');
    expect(callback.origin).toBe('http://127.0.0.1:50123');
    await expect(authorize('http://[::1]:33418/')).rejects.toThrow('redirect_uri');
  });
});
