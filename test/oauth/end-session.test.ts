import { beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { copyOf, newBrowser, signIn, whoIs } from '../support/browser/console.js';
import { endSessionUrl, END_SESSION } from '../support/oauth/end-session.js';
import {
  createUser,
  getTokens,
  mainOf,
  readForm,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const BYE = 'https://app.example.com/bye?a=%2F&b=';
const SCOPE = { scope: 'openid' };

describe('GET and POST /api/v1/oauth/end-session', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'manager']]);
    client = await registerClient(gatehouse, { post_logout_redirect_uris: [BYE] });
  });

  /** A browser in which somebody signed in, and the id_token that the app got then. */
  async function signedIn(as = user, by = client): Promise<{ browser: Browser; hint: string }> {
    const browser = newBrowser(gatehouse);
    const tokens = await getTokens(gatehouse, { browser, user: as, client: by, parameters: SCOPE });
    return { browser, hint: tokens.id_token ?? 'none' };
  }
  const withTarget = (hint: string) => ({
    id_token_hint: hint,
    post_logout_redirect_uri: BYE,
    state: 'a b/ü&x=1',
  });
  const SENT_BACK = `${BYE}&state=a+b%2F%C3%BC%26x%3D1`;

  it('is in the metadata', async () => {
    for (const document of ['oauth-authorization-server', 'openid-configuration']) {
      const { body } = await gatehouse.http.get(`/.well-known/${document}`);
      expect(body).toMatchObject({
        end_session_endpoint: gatehouse.config.ISSUER + END_SESSION,
      });
    }
  });

  describe('while somebody is signed in', () => {
    it('asks, names account, app and destination, and changes nothing', async () => {
      const { browser, hint } = await signedIn();
      const url = endSessionUrl(withTarget(hint));
      for (const init of [{}, { method: 'HEAD' }, { headers: { 'Sec-Purpose': 'prefetch' } }]) {
        const answer = await browser.request(url, init);
        expect(answer.status).toBe(200);
        expect(answer.headers.get('Location')).toBeNull();
        expect(answer.headers.get('Cache-Control')).toBe('no-store');
        expect(await whoIs(browser)).toBe(user.email);
      }
      const page = mainOf(await browser.open(url));
      for (const text of [user.email, 'Ada Example', 'Test app', 'app.example.com']) {
        expect(page).toContain(text);
      }
      expect(page).not.toContain('another account');
    });

    it('ends the session for every copy of its cookie, and sends the user back with the state', async () => {
      const { browser, hint } = await signedIn();
      const copy = copyOf(browser, gatehouse);
      const stop = await browser.submit(await browser.open(endSessionUrl(withTarget(hint))), {});

      expect(stop).toMatchObject({ url: SENT_BACK, status: 303 });
      expect(await whoIs(copy)).toBeUndefined();
      expect(await whoIs(browser)).toBeUndefined();
      expect([...browser.cookies.keys()].join()).not.toContain('gatehouse_session');
      const again = await getTokens(gatehouse, { browser, user, client, parameters: SCOPE });
      expect(again.id_token).toBeDefined();
    });

    it('keeps the registered URI byte for byte, and accepts any port on loopback', async () => {
      const uris = ['http://127.0.0.1/bye?x=%2f;', 'HTTPS://app.example.com/%7Ebye', 'myapp://bye'];
      const native = await registerClient(gatehouse, { post_logout_redirect_uris: uris });
      for (const uri of [uris[1], uris[2], 'http://127.0.0.1:49152/bye?x=%2f;']) {
        const { browser, hint } = await signedIn(user, native);
        const query = { id_token_hint: hint, post_logout_redirect_uri: uri ?? '' };
        const page = await browser.open(endSessionUrl(query));
        const answer = await browser.request(readForm(page.html).action, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams(readForm(page.html).hidden),
        });
        expect(answer.headers.get('Location')).toBe(uri);
      }
    });

    it('accepts an expired hint, under either algorithm', async () => {
      const compact = await registerClient(gatehouse, {
        post_logout_redirect_uris: [BYE],
        id_token_signed_response_alg: 'ES256',
      });
      for (const by of [client, compact]) {
        const { browser, hint } = await signedIn(user, by);
        const exp = decodeJwt(hint).exp ?? 0;
        const now = Date.now;
        Date.now = () => (exp + 3600) * 1000;
        try {
          const stop = await browser.submit(
            await browser.open(endSessionUrl(withTarget(hint))),
            {},
          );
          expect(stop.url).toBe(SENT_BACK);
        } finally {
          Date.now = now;
        }
      }
    });

    it('asks for a client_id without a hint, does not show the client’s name, and redirects back', async () => {
      const { browser } = await signedIn();
      const { id_token_hint: _none, ...rest } = withTarget('');
      const url = endSessionUrl({ ...rest, client_id: client.client_id, ui_locales: 'de en' });
      const page = await browser.open(url);

      expect(mainOf(page)).not.toContain('Test app');
      expect(mainOf(page)).toContain('app.example.com');
      expect((await browser.submit(page, {})).url).toBe(SENT_BACK);
      expect(await whoIs(browser)).toBeUndefined();
    });

    it('asks without any parameter, and says in the end that nobody is signed in', async () => {
      const { browser } = await signedIn();
      const page = await browser.open(endSessionUrl({ logout_hint: user.email }));
      expect(mainOf(page)).not.toContain('Takes you to');
      const stop = await browser.submit(page, {});

      expect(mainOf(stop)).toContain('You are signed out');
      expect(await whoIs(browser)).toBeUndefined();
    });

    it('asks and shows a notice where the app names another account', async () => {
      const other = await createUser(gatehouse, [[tenant, 'viewer']]);
      const { hint } = await signedIn(other);
      const { browser } = await signedIn();
      const page = await browser.open(endSessionUrl(withTarget(hint)));

      expect(mainOf(page)).toContain('another account');
      expect(mainOf(page)).toContain(user.email);
      expect(mainOf(page)).not.toContain(other.email);
      expect(await whoIs(browser)).toBe(user.email);
      expect((await browser.submit(page, {})).url).toBe(SENT_BACK);
    });

    it('asks again if somebody else signed in since the page was shown', async () => {
      const other = await createUser(gatehouse, [[tenant, 'viewer']]);
      const { browser, hint } = await signedIn();
      const page = await browser.open(endSessionUrl(withTarget(hint)));
      await signIn(browser, other);
      const next = await browser.submit(page, {});

      expect(mainOf(next)).toContain(other.email);
      expect(await whoIs(browser)).toBe(other.email);
      expect((await browser.submit(next, {})).url).toBe(SENT_BACK);
      expect(await whoIs(browser)).toBeUndefined();
    });
  });

  describe('while nobody is signed in', () => {
    it('sends back without a page if an id_token proves that the app was used here', async () => {
      const { hint } = await signedIn();
      const stop = await newBrowser(gatehouse).open(endSessionUrl(withTarget(hint)));

      expect(stop).toMatchObject({ url: SENT_BACK, status: 303 });
    });

    it('offers a link, without a redirect, to an app that is not verified', async () => {
      const { id_token_hint: _none, ...rest } = withTarget('');
      const url = endSessionUrl({ ...rest, client_id: client.client_id });
      const page = await newBrowser(gatehouse).open(url);
      expect(page.status).toBe(200);
      expect(mainOf(page)).toContain('You are signed out');
      expect(mainOf(page)).toContain(`href="${SENT_BACK.replaceAll('&', '&amp;')}"`);

      const set = 'UPDATE clients SET is_verified = $2 WHERE id = $1';
      await gatehouse.database.query(set, [client.client_id, true]);
      const stop = await newBrowser(gatehouse).open(url);
      await gatehouse.database.query(set, [client.client_id, false]);
      expect(stop.url).toBe(SENT_BACK);
    });

    it('shows that the user is signed out', async () => {
      const page = await newBrowser(gatehouse).open(endSessionUrl({}));

      expect(page.status).toBe(200);
      expect(mainOf(page)).toContain('You are signed out');
    });
  });

  it('redirects a POST to the same request by GET', async () => {
    const { browser, hint } = await signedIn();
    const answer = await browser.request(END_SESSION, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        Origin: 'https://app.example.com',
        'Sec-Fetch-Site': 'cross-site',
      },
      body: new URLSearchParams(withTarget(hint)),
    });
    expect(answer.status).toBe(303);
    expect(await whoIs(browser)).toBe(user.email);
    const page = await browser.open(answer.headers.get('Location') ?? '');
    expect((await browser.submit(page, {})).url).toBe(SENT_BACK);
  });

  it('has a policy whose form-action allows the app only where the form leads there', async () => {
    const { browser, hint } = await signedIn();
    const policies = [withTarget(hint), { id_token_hint: hint }].map(async (query) => {
      const { headers } = await browser.open(endSessionUrl(query));
      return headers.get('Content-Security-Policy');
    });
    const [there, here] = await Promise.all(policies);
    expect(there).not.toContain('form-action');
    expect(here).toContain("form-action 'self'");
    for (const policy of [there, here]) expect(policy).toContain("frame-ancestors 'none'");
  });
});
