import { request } from 'node:http';

import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  authorizeUrl,
  createBrowser,
  createPkce,
  PASSWORD,
  post,
  readForm,
  type Browser,
} from '../support/oauth/oauth.js';
import { authenticationOf, getCodeForm } from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

const AUTHORIZE = [
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'prompt',
  'max_age',
  'login_hint',
  'resource',
  'display',
  'ui_locales',
  'claims_locales',
  'acr_values',
  'id_token_hint',
  'claims',
  'x',
  'request',
  'request_uri',
  'registration',
  'dpop_jkt',
  'authorization_details',
  '__proto__',
];
const GARBAGE: readonly (readonly [string, string])[] = [
  ['a NUL', 'a\0b'],
  ['nothing but a NUL', '\0'],
  ['a broken character', '\uFFFD\uFFFF'],
  ['a line break', 'a\r\nSet-Cookie: x=y'],
  ['an emoji', '👷'],
  ['a lot', 'a'.repeat(5000)],
  ['a name of objects', 'constructor'],
  ['a number', '1e999'],
  ['JSON', '{"a":null}'],
];

describe('arbitrary input', () => {
  const gatehouse = useOAuthWorld();
  let issuer: string;
  let signedIn: Browser;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    signedIn = createBrowser({ origin: gatehouse.origin, issuer });
    const login = await signedIn.open(urlFor());
    await signedIn.submit(login, { email: gatehouse.user.email, password: PASSWORD });
  });

  const urlFor = (parameters: Record<string, string> = {}) =>
    authorizeUrl(issuer, {
      client_id: gatehouse.client.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    });
  /** No internal error, and no injected header. */
  function expectCalm(what: object, answer: { status: number; headers: Headers }): void {
    expect({ ...what, isOurError: answer.status >= 500 }).toEqual({ ...what, isOurError: false });
    expect(String(answer.headers.get('Set-Cookie'))).not.toContain('x=y');
  }

  describe.each(GARBAGE)('%s', (_name, value) => {
    it('in any parameter of an authorization request gets an error response', async () => {
      for (const browser of [signedIn, createBrowser({ origin: gatehouse.origin, issuer })]) {
        for (const name of AUTHORIZE) {
          expectCalm({ name }, await browser.open(urlFor({ [name]: value })));
        }
      }
    });

    it('in any field of a token request gets an error response', async () => {
      const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
      for (const name of [...Object.keys(form), 'client_secret', 'scope', 'resource', 'x']) {
        expectCalm({ name }, await post(gatehouse, 'token', { ...form, [name]: value }));
      }
      const refresh = { grant_type: 'refresh_token', refresh_token: value };
      for (const name of ['refresh_token', 'scope', 'resource']) {
        const fields = { ...refresh, ...authenticationOf(gatehouse.client), [name]: value };
        expectCalm({ name }, await post(gatehouse, 'token', fields));
      }
    });

    it('in any field of other requests gets an error response', async () => {
      const fields = {
        token: value,
        token_type_hint: value,
        ...authenticationOf(gatehouse.client),
      };
      for (const endpoint of ['revoke', 'introspect']) {
        for (const more of [{}, { client_id: value }, { client_secret: value }, { [value]: 'x' }]) {
          expectCalm({ endpoint }, await post(gatehouse, endpoint, { ...fields, ...more }));
        }
        const pair = Buffer.from(`${value}:${value}`).toString('base64');
        const headers = { Authorization: `Basic ${pair}` };
        expectCalm({ endpoint }, await post(gatehouse, endpoint, { token: value }, headers));
        expectCalm({ endpoint }, await post(gatehouse, 'token', { token: value }, headers));
      }
    });

    it('in any field of the pages gets an error response', async () => {
      const browser = createBrowser({ origin: gatehouse.origin, issuer });
      const login = await browser.open(urlFor());
      for (const name of ['email', 'password', 'csrf', 'x']) {
        const fields = { email: 'nobody@example.com', password: 'x', [name]: value };
        expectCalm({ name }, await browser.submit(login, fields));
      }
      const consent = await signedIn.open(urlFor({ prompt: 'consent' }));
      expect(readForm(consent.html).action).toMatch(/^\/consent\//);
      for (const name of ['tenant_id', 'csrf', 'decision', 'x', 'scope']) {
        const fields = { decision: 'x', [name]: value };
        expectCalm({ name }, await signedIn.submit(consent, fields));
      }
      const id = encodeURIComponent(value);
      for (const path of [`/login/${id}`, `/consent/${id}`, `/api/v1/oauth/authorize/${id}`]) {
        expectCalm({ path }, await signedIn.open(issuer + path));
      }
      const query = `${consent.url}?tenant_id=${id}`;
      expectCalm({ query }, await signedIn.open(query));
    });
  });

  it('in cookies gets an error response', async () => {
    const answer = await fetch(gatehouse.origin + new URL(urlFor()).pathname, {
      headers: {
        Cookie: 'gatehouse_session=%00; gatehouse_session.sig=x; gatehouse_browser_00=%00; =',
      },
    });
    expectCalm({}, answer);
  });

  it('a request of any size gets an error response', async () => {
    for (const bytes of [70_000, 2_000_000]) {
      for (const endpoint of ['token', 'revoke', 'introspect', 'authorize']) {
        const answer = await post(gatehouse, endpoint, { state: 'a'.repeat(bytes) });
        expect([400, 401, 413]).toContain(answer.status);
      }
    }
  });

  it('in the path gets an error response', async () => {
    for (const path of ['/login/%', '/consent/%ff', '/api/v1/oauth/authorize/%', '/login/%00']) {
      const answer = await fetch(gatehouse.origin + path);
      expect([400, 404]).toContain(answer.status);
    }
  });

  it('in the Host header changes nothing', async () => {
    const { hostname, port } = new URL(gatehouse.origin);
    const location = await new Promise<string | undefined>((resolve, reject) => {
      const headers = { Host: 'evil.example' };
      const { pathname, search } = new URL(urlFor());
      request({ hostname, port, path: pathname + search, headers }, (answer) => {
        answer.resume();
        resolve(answer.headers.location);
      })
        .on('error', reject)
        .end();
    });
    expect(location).toMatch(/^(http:\/\/localhost:3000)?\/login\//);
  });

  it('answers 405 to HEAD at the authorization endpoint', async () => {
    for (const url of [urlFor(), urlFor({ client_id: 'x' }), urlFor({ prompt: 'consent' })]) {
      const head = await signedIn.request(url, { method: 'HEAD' });
      expect(await head.text()).toBe('');
      expect(head.status).toBe(405);
      expect(head.headers.get('Allow')).toBe('GET, POST, OPTIONS');
    }
    for (const method of ['OPTIONS', 'PUT']) {
      const other = await signedIn.request(urlFor(), { method });
      expect(other.headers.get('Allow')).toBe('GET, POST, OPTIONS');
    }
  });
});
