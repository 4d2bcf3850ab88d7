import { beforeAll, describe, expect, it } from '@jest/globals';

import { createCredential } from '../support/app/credentials.js';
import {
  authorizeUrl,
  createPkce,
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
} from '../support/oauth/oauth.js';
import { authenticationOf, getCodeForm } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const APP = 'https://app.example.com';
const STRANGER = 'https://evil.example';
const DOCUMENTS = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/api/v1/oauth/jwks',
];
const CALLED = ['register', 'register/cli_x', 'token', 'revoke', 'userinfo'].map(
  (name) => `/api/v1/oauth/${name}`,
);
const CLOSED = [
  '/api/v1/oauth/authorize',
  '/api/v1/oauth/authorize/x',
  '/api/v1/oauth/introspect',
  '/login/x',
  '/consent/x',
];

const corsOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));
const readersOf = (answer: Response) => corsOf(answer)['access-control-allow-origin'];
const itemsOf = (list = '') => list.split(', ').toSorted();

describe('CORS of OAuth', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let open: TestClient;
  let confidential: TestClient;
  let token: string;
  let form: Record<string, string>;
  let publicForm: Record<string, string>;
  beforeAll(async () => {
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, 'manager']]);
    open = await registerClient(gatehouse);
    confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_post',
      redirect_uris: [`${APP}/callback`, 'http://127.0.0.1:4000/cb', 'cursor://x/cb'],
    });
    ({ access_token: token } = await getTokens(gatehouse, { client: open, user }));
    publicForm = await getCodeForm(gatehouse, { client: open, user });
    form = await getCodeForm(gatehouse, { client: confidential, user });
  });

  const get = (path: string, headers: Record<string, string>, method = 'GET') =>
    fetch(gatehouse.origin + path, { method, headers, redirect: 'manual' });
  const preflight = (path: string, method = 'POST') =>
    get(
      path,
      {
        Origin: STRANGER,
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'authorization',
      },
      'OPTIONS',
    );

  describe('preflights', () => {
    it.each([...DOCUMENTS, ...CALLED])('are open to all for %s', async (path) => {
      const answer = await preflight(path);
      expect(answer.status).toBe(204);
      const cors = corsOf(answer);
      expect(readersOf(answer)).toBe('*');
      expect(itemsOf(cors['access-control-allow-headers'])).toEqual(
        ['Authorization', 'Content-Type', 'DPoP', 'MCP-Protocol-Version'].toSorted(),
      );
      expect(cors).not.toHaveProperty('access-control-allow-credentials');
    });

    it.each(CLOSED)('get nothing for %s', async (path) => {
      for (const method of ['GET', 'POST'])
        expect(corsOf(await preflight(path, method))).toEqual({});
    });

    it('allow what the path answers', async () => {
      const allowed = async (path: string) =>
        itemsOf(corsOf(await preflight(path))['access-control-allow-methods']);
      expect(await allowed('/api/v1/oauth/token')).toEqual(['POST']);
      expect(await allowed('/api/v1/oauth/revoke')).toEqual(['POST']);
      expect(await allowed('/api/v1/oauth/register')).toEqual(['POST']);
      expect(await allowed('/api/v1/oauth/userinfo')).toEqual(['GET', 'HEAD', 'POST']);
      expect(await allowed('/api/v1/oauth/register/x')).toEqual(['DELETE', 'GET', 'HEAD', 'PUT']);
    });
  });

  describe('another spelling', () => {
    const variants = [...DOCUMENTS, ...CALLED, ...CLOSED].flatMap((path) => [
      `${path}/`,
      path.toUpperCase(),
      path.replace(/oauth/, 'OAuth').replace(/well-known\/openid/, 'well-known/OpenID'),
      `/${path}`,
      path.replace(/\/([^/]+)$/, '//$1'),
      path.replace(/(.)$/, (last) => `%${last.charCodeAt(0).toString(16)}`),
      `${path}/.`.replace(/\/\.$/, '%2F'),
    ]);

    it.each([...new Set(variants)])('%s is nothing and read by nobody', async (path) => {
      // The last segment is the name of a client or an authorization: any text has its form.
      const isName = /^\/(api\/v1\/oauth\/(register|authorize)|login|consent)\/[^/]+$/.test(path);
      for (const method of ['GET', 'POST']) {
        const answer = await get(path, { Origin: STRANGER }, method);
        if (!isName) {
          expect({ method, status: answer.status }).toEqual({ method, status: 404 });
          expect(corsOf(answer)).toEqual({});
          expect(corsOf(await preflight(path, method))).toEqual({});
        }
        expect([400, 401, 404, 405, 415]).toContain(answer.status);
      }
    });
  });

  it.each(DOCUMENTS)('lets any origin read %s', async (path) => {
    const answer = await get(path, { Origin: STRANGER });
    expect(answer.status).toBe(200);
    expect(readersOf(answer)).toBe('*');
    expect(corsOf(answer)).not.toHaveProperty('access-control-allow-credentials');
  });

  describe.each(['token', 'revoke'])('the answers of %s', (endpoint) => {
    const call = (fields: Record<string, string>, origin: string) =>
      post(gatehouse, endpoint, { token: 'x', ...fields }, { Origin: origin });

    it('are readable by any origin if the client is public or unknown', async () => {
      for (const who of [authenticationOf(open), { client_id: 'cli_x' }, {}]) {
        const answer = await call({ grant_type: 'refresh_token', ...who }, STRANGER);
        expect(readersOf(answer)).toBe('*');
        expect(itemsOf(corsOf(answer)['access-control-expose-headers'])).toEqual(
          expect.arrayContaining(['Retry-After', 'WWW-Authenticate', 'X-Request-Id']),
        );
        expect(corsOf(answer)).not.toHaveProperty('access-control-allow-credentials');
      }
    });

    it('are readable by any origin if the request is malformed', async () => {
      const client = `client_id=${open.client_id}&client_id=x&token=x&token=x`;
      for (const [type, status] of [
        ['application/x-www-form-urlencoded', 400],
        ['text/plain', 415],
      ] as const) {
        const answer = await fetch(`${gatehouse.origin}/api/v1/oauth/${endpoint}`, {
          method: 'POST',
          headers: { Origin: STRANGER, 'Content-Type': type },
          body: `grant_type=refresh_token&${client}`,
        });
        expect([answer.status, readersOf(answer)]).toEqual([status, '*']);
      }
    });

    it('are readable by the redirect origins of a confidential client only', async () => {
      const who = { grant_type: 'refresh_token', ...authenticationOf(confidential) };
      for (const origin of [APP, 'http://127.0.0.1:4000']) {
        const answer = await call(who, origin);
        expect(readersOf(answer)).toBe(origin);
        expect(answer.headers.get('Vary')).toContain('Origin');
      }
      for (const origin of [
        STRANGER,
        'null',
        `${APP}:444`,
        'http://app.example.com',
        'cursor://x',
      ]) {
        const answer = await call(who, origin);
        expect({ origin, cors: corsOf(answer) }).toEqual({ origin, cors: {} });
        expect(answer.headers.get('Vary')).toContain('Origin');
      }
    });
  });

  it('lets a confidential client read its tokens from its own origin', async () => {
    const answer = await post(gatehouse, 'token', form, { Origin: APP });
    expect(answer.status).toBe(200);
    expect(readersOf(answer)).toBe(APP);
  });

  it('lets a public client read its tokens from anywhere', async () => {
    const answer = await post(gatehouse, 'token', publicForm, { Origin: STRANGER });
    expect(answer.status).toBe(200);
    expect(readersOf(answer)).toBe('*');
  });

  it('makes the answer to the revocation of a key unreadable', async () => {
    const { secret } = await gatehouse.createKey(await gatehouse.createTenant('keys'));
    const answer = await post(gatehouse, 'revoke', { token: secret }, { Origin: STRANGER });
    expect(answer.status).toBe(200);
    expect(corsOf(answer)).toEqual({});
  });

  describe('the answers of userinfo', () => {
    const path = '/api/v1/oauth/userinfo';
    const ask = (headers: Record<string, string>, method = 'GET') =>
      get(path, { Origin: STRANGER, ...headers }, method);

    it('are readable by any origin for text that looks like a token', async () => {
      const { format } = gatehouse;
      for (const raw of [token, format.mint('at'), 'bwp_at_garbage']) {
        for (const method of ['GET', 'POST', 'HEAD']) {
          const answer = await ask({ Authorization: `Bearer ${raw}` }, method);
          expect(answer.status).toBe(raw === token ? 200 : 401);
          expect(readersOf(answer)).toBe('*');
        }
      }
    });

    it('are readable by any origin for an expired token', async () => {
      await gatehouse.database.shiftClock('2 hours');
      const answer = await ask({ Authorization: `Bearer ${token}` });
      await gatehouse.database.shiftClock('0 hours');
      expect(answer.status).toBe(401);
      expect(readersOf(answer)).toBe('*');
    });

    it('are not readable for keys or without a credential', async () => {
      const tenant = await gatehouse.createTenant('other');
      const scopes = ['products:read'] as const;
      const publishable = await createCredential(gatehouse, tenant, 'publishable', scopes);
      const { secret } = await gatehouse.createKey(tenant);
      for (const headers of [
        { Authorization: `Bearer ${secret}` },
        { 'X-API-Key': secret },
        { 'X-API-Key': publishable.secret },
        { Authorization: `Bearer ${publishable.secret}` },
        { Authorization: 'Bearer garbage' },
        {},
      ] as Record<string, string>[]) {
        expect(corsOf(await ask(headers))).toEqual({});
      }
    });
  });

  it('opens introspection, authorization and pages to no origin', async () => {
    const who = { token: 'x', ...authenticationOf(confidential) };
    const seen = await post(gatehouse, 'introspect', who, { Origin: APP });
    expect(seen.status).toBe(200);
    expect(corsOf(seen)).toEqual({});
    const parameters = { client_id: open.client_id, code_challenge: createPkce().challenge };
    const { pathname, search } = new URL(authorizeUrl(gatehouse.config.ISSUER, parameters));
    for (const path of [pathname + search, ...CLOSED]) {
      expect(corsOf(await get(path, { Origin: APP }))).toEqual({});
    }
  });
});
