import { describe, expect, it } from '@jest/globals';

import { OAUTH_SCOPES } from '../../src/scopes/catalog.js';
import { freshAddress, managing, register } from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const REDIRECT = 'https://app.example.com/cb';
const BASE = { client_name: 'App', redirect_uris: [REDIRECT] };
const PUBLIC_ID = /^cli_[0-9a-f]{32}$/;
const CONFIDENTIAL_ID = /^cli_[0-9A-HJKMNP-TV-Z]{26}$/;

describe('POST /api/v1/oauth/register', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });

  const post = (body: object | string, address?: string) => register(gatehouse, body, address);

  describe('201', () => {
    it('creates a public client by default, with all defaults', async () => {
      const before = Math.floor(Date.now() / 1000);
      const answer = await post({ ...BASE, client_name: ' My  App ' });

      expect(answer.status).toBe(201);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      const { client_id } = answer.body;
      expect(answer.body).toEqual({
        client_id: expect.stringMatching(PUBLIC_ID),
        client_id_issued_at: expect.any(Number),
        client_name: 'My App',
        redirect_uris: [REDIRECT],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'web',
        scope: OAUTH_SCOPES.join(' '),
        id_token_signed_response_alg: 'RS256',
        registration_client_uri: `http://localhost:3000/api/v1/oauth/register/${client_id}`,
        registration_access_token: expect.stringMatching(/^bwp_rat_[0-9A-Za-z]{49}$/),
      });
      expect(Math.abs(answer.body.client_id_issued_at - before)).toBeLessThan(30);
    });

    it.each(['client_secret_basic', 'client_secret_post'])(
      'creates a confidential client for %s, with a secret that does not expire',
      async (token_endpoint_auth_method) => {
        const answer = await post({ ...BASE, token_endpoint_auth_method });

        expect(answer.status).toBe(201);
        expect(answer.body).toMatchObject({
          client_id: expect.stringMatching(CONFIDENTIAL_ID),
          token_endpoint_auth_method,
          client_secret: expect.stringMatching(/^bwp_cs_[0-9A-Za-z]{49}$/),
          client_secret_expires_at: 0,
          registration_access_token: expect.stringMatching(/^bwp_rat_[0-9A-Za-z]{49}$/),
        });
      },
    );

    it('creates another confidential client each time', async () => {
      const body = { ...BASE, token_endpoint_auth_method: 'client_secret_post' };
      const [first, second] = [(await post(body)).body, (await post(body)).body];

      for (const member of ['client_id', 'client_secret', 'registration_access_token']) {
        expect(first[member]).not.toBe(second[member]);
      }
    });

    it('treats scope as omitted if every scope was dropped', async () => {
      const answer = await post({ ...BASE, scope: 'mcp:tools introspect' });

      expect(answer.status).toBe(201);
      expect(answer.body.scope).toBe(OAUTH_SCOPES.join(' '));
      expect(answer.body.client_id).toBe((await post(BASE)).body.client_id);
      const all = await post({ ...BASE, scope: OAUTH_SCOPES.toReversed().join(' ') });
      expect(all.body.client_id).toBe(answer.body.client_id);
    });

    it.each([
      [
        'a host',
        ['http://localhost/cb', 'x-app://cb', 'https://b.example/', REDIRECT],
        'app.example.com',
        'web',
      ],
      [
        'a scheme',
        ['http://localhost/cb', 'z-app://cb', 'com.example.app:/cb'],
        'com.example.app',
        'native',
      ],
      ['the device', ['http://127.0.0.1/', 'http://[::1]/'], 'An app on this device', 'native'],
    ])('names a client without client_name by %s', async (_what, uris, name, type) => {
      const expected = { client_name: name, application_type: type };
      const first = await post({ redirect_uris: uris });
      const second = await post({ redirect_uris: uris.toReversed(), client_name: '\u200b' });

      expect(first.body).toMatchObject(expected);
      expect(second.body.client_id).toBe(first.body.client_id);
    });

    it('removes invisible characters from names', async () => {
      const hidden = 'Cla\u202eude\u200b\u2066 \u00ad\u3164\ufeff \n De\u0007sk\u{e0041}top\u009b';
      const answer = await post({ ...BASE, client_name: hidden, software_id: 'a\u001b[2Jb' });

      expect(answer.body).toMatchObject({ client_name: 'Claude Desktop', software_id: 'a[2Jb' });
    });

    it('accepts names of 200 characters and ten redirect URIs', async () => {
      const redirect_uris = Array.from({ length: 10 }, (_, n) => `${REDIRECT}/${n}`);
      const answer = await post({ client_name: 'é'.repeat(200), redirect_uris });

      expect(answer.status).toBe(201);
      expect(answer.body.redirect_uris).toEqual(redirect_uris);
    });

    it('writes one audit entry with the address', async () => {
      const body = { ...BASE, client_name: 'Audited' };
      const address = freshAddress();
      const answer = await post(body, address);
      await post(body, address);

      const entries = await gatehouse.database.query(
        'SELECT action, tenant_id, actor, address, request_id, details FROM audit_log WHERE subject = $1',
        [answer.body.client_id],
      );
      expect(entries).toEqual([
        {
          action: 'client.register',
          tenant_id: null,
          actor: answer.body.client_id,
          address,
          request_id: answer.headers['x-request-id'],
          details: {
            name: 'Audited',
            redirect_uris: [REDIRECT],
            token_endpoint_auth_method: 'none',
          },
        },
      ]);
    });
  });

  /** Registrations of real applications. */
  const REAL_ONES = {
    Claude: {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'contacts:read offline_access',
    },
    Cursor: {
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    'VS Code': {
      client_name: 'Visual Studio Code',
      client_uri: 'https://code.visualstudio.com',
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      response_types: ['code'],
      redirect_uris: [
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
      ],
      scope: null,
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    },
    'MCP Inspector': {
      redirect_uris: ['http://localhost:6274/oauth/callback'],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      client_name: 'MCP Inspector',
      client_uri: 'https://github.com/modelcontextprotocol/inspector',
      scope: '',
      contacts: [],
      logo_uri: null,
      tos_uri: null,
      jwks: null,
      software_statement: '',
    },
  };

  const KNOWN_GRANT_TYPES = [
    'authorization_code',
    'refresh_token',
    'urn:ietf:params:oauth:grant-type:device_code',
  ];

  it.each(Object.entries(REAL_ONES))('registers %s with its real metadata', async (_n, body) => {
    const answer = await post(body);

    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      client_name: body.client_name,
      redirect_uris: body.redirect_uris,
      grant_types: KNOWN_GRANT_TYPES.filter((type) => body.grant_types.includes(type)),
      token_endpoint_auth_method: 'none',
    });
    expect(answer.body).not.toHaveProperty('client_secret');
    const { client_id, registration_access_token } = answer.body;
    const shown = await managing(gatehouse, client_id, registration_access_token).get();
    expect(shown.status).toBe(200);
    expect(shown.body.client_name).toBe(body.client_name);
  });

  it('writes URLs from the issuer, never from the Host header', async () => {
    const answer = await post(BASE).set('Host', 'evil.example');

    expect(answer.text).toContain('http://localhost:3000/api/v1/oauth/register/cli_');
    expect(answer.text).not.toContain('evil');
  });

  it('answers 503 with Retry-After while the database is unavailable', async () => {
    await gatehouse.database.lock();
    const answer = await post(BASE);
    await gatehouse.database.unlock();

    expect(answer.status).toBe(503);
    expect(answer.body.error).toBe('temporarily_unavailable');
    expect(answer.headers['retry-after']).toBe('1');
  });
});
