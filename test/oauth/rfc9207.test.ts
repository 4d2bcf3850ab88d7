// Issuer identification in authorization responses: RFC 9207, by its sections.
import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  approve,
  authorize,
  createUser,
  PASSWORD,
  post,
  REDIRECT,
  type Browser,
} from '../support/oauth/oauth.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

const gatehouse = useOAuthWorld();
let issuer: string;
let browser: Browser;
beforeAll(async () => {
  issuer = gatehouse.config.ISSUER;
  browser = gatehouse.newBrowser();
});

/** All values of `iss`, and the error. */
const toldIn = (url: string | URL) => {
  const { searchParams } = new URL(url);
  return { iss: searchParams.getAll('iss'), error: searchParams.get('error') };
};

describe('iss', () => {
  it('is in a successful response, once (§2.1)', async () => {
    const callback = await authorize(gatehouse, {
      client: gatehouse.client,
      user: gatehouse.user,
      browser,
    });
    expect(callback.searchParams.get('code')).toMatch(/^bwp_ac_/);
    expect(toldIn(callback)).toEqual({ iss: [issuer], error: null });
    // Remembered consent answers without a page.
    const again = await browser.open(gatehouse.urlFor({ prompt: 'none' }));
    expect(toldIn(again.url)).toEqual({ iss: [issuer], error: null });
  });

  it('is in the response to a pushed request, too', async () => {
    const parameters = Object.fromEntries(new URL(gatehouse.urlFor()).searchParams);
    const pushed = await post(gatehouse, 'par', parameters);
    const { request_uri } = (await pushed.json()) as { request_uri: string };
    const query = new URLSearchParams({ client_id: gatehouse.client.client_id, request_uri });
    const url = `${issuer}/api/v1/oauth/authorize?${query.toString()}`;
    expect(toldIn(await approve(gatehouse, url, { user: gatehouse.user, browser })).iss).toEqual([
      issuer,
    ]);
  });

  it('is in every error response (§2.2)', async () => {
    const refused = await browser.open(gatehouse.urlFor({ prompt: 'consent' }));
    const denied = await browser.submit(refused, { decision: 'deny' });
    expect(toldIn(denied.url)).toEqual({ iss: [issuer], error: 'access_denied' });
    for (const [parameters, error] of [
      [{ scope: 'unknown:scope' }, 'invalid_scope'],
      [{ resource: 'https://elsewhere.example' }, 'invalid_target'],
      [{ code_challenge: '' }, 'invalid_request'],
      [{ response_type: 'token' }, 'unsupported_response_type'],
    ] as const) {
      const stop = await browser.open(gatehouse.urlFor(parameters));
      expect(toldIn(stop.url)).toEqual({ iss: [issuer], error });
    }
    const anonymous = await gatehouse.newBrowser().open(gatehouse.urlFor({ prompt: 'none' }));
    expect(toldIn(anonymous.url)).toEqual({ iss: [issuer], error: 'login_required' });
  });

  it('is in the error of a user who signed in and may not allow anything', async () => {
    const nobody = await createUser(gatehouse, []);
    const own = gatehouse.newBrowser();
    const login = await own.open(gatehouse.urlFor());
    const stop = await own.submit(login, { email: nobody.email, password: PASSWORD });
    expect(toldIn(stop.url)).toEqual({ iss: [issuer], error: 'access_denied' });
  });

  it('is the issuer of the metadata character by character, and announced there (§2.3, §2.4)', async () => {
    const headers = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example' };
    const { body } = await gatehouse.http.get('/.well-known/oauth-authorization-server');
    expect(body).toMatchObject({ issuer, authorization_response_iss_parameter_supported: true });
    const forged = await browser.request(gatehouse.urlFor(), { headers });
    const location = forged.headers.get('Location') ?? '';
    expect(toldIn(new URL(location, issuer)).iss).toEqual([issuer]);
  });

  it('cannot be set by the request', async () => {
    const planted = await browser.open(`${gatehouse.urlFor()}&iss=https%3A%2F%2Fevil.example`);
    expect(planted.url.startsWith(REDIRECT)).toBe(true);
    expect(toldIn(planted.url).iss).toEqual([issuer]);
  });
});
