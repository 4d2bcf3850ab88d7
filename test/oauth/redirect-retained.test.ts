import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  approve,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  post,
  registerClient,
  type Browser,
  type BrowserStop,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** Redirect URIs that a URL parser would normalize, with the separator that follows. */
const URIS: readonly (readonly [uri: string, separator: string])[] = [
  ['https://app.example.com', '?'],
  ['https://app.example.com/cb?flag', '&'],
  ['https://app.example.com/cb?flag=', '&'],
  ['https://app.example.com/cb?', ''],
  ['https://app.example.com/cb?a=1&', ''],
  ['https://app.example.com/cb?a=%20b', '&'],
  ['https://app.example.com/cb?a=b+c', '&'],
  ['https://app.example.com/cb?next=%2Fhome%3Fx', '&'],
  ['https://app.example.com/cb?next=/home?x', '&'],
  ['https://app.example.com/cb?z=1&a=2&z=3', '&'],
  ['https://app.example.com/cb;v=1?a;b', '&'],
  ['https://app.example.com/c%62?name=%e9', '&'],
  ['https://app.example.com/%E9%2f?x=%E9', '&'],
  ["https://app.example.com/a'b(c)?x='y'*~", '&'],
  ['https://app.example.com/a/../b/./c//d', '?'],
  ['https://app.example.com:443/cb', '?'],
  ['https://APP.example.com/Cb', '?'],
  ['HTTPS://app.example.com/cb', '?'],
  ['https://app.example.com/cb?code=mine&state=mine&iss=mine', '&'],
  ['http://localhost:4711?flag', '&'],
  ['http://127.0.0.1:4711/cb?a=%2F', '&'],
  ['http://[::1]:4711/cb?', ''],
  ['cursor://app/cb?flag&x=%20', '&'],
  ['com.example.app:/cb', '?'],
  ['com.Example.App:/cb?%e9', '&'],
];

describe('the location of an authorization response', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let issuer: string;
  let user: TestUser;
  let signedIn: Browser;
  beforeAll(async () => {
    issuer = gatehouse.config.ISSUER;
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'manager']]);
    signedIn = createBrowser({ origin: gatehouse.origin, issuer });
    const client = await registerClient(gatehouse);
    const { client_id } = client;
    const { challenge: code_challenge } = createPkce();
    await approve(gatehouse, authorizeUrl(issuer, { client_id, code_challenge }), {
      user,
      browser: signedIn,
    });
  });

  const locationOf = ({ headers }: Pick<BrowserStop, 'headers'>) => headers.get('Location') ?? '';

  async function open(uri: string, more: Readonly<Record<string, string>> = {}) {
    const { client_id } = await registerClient(gatehouse, { redirect_uris: [uri] });
    const { verifier, challenge } = createPkce();
    const parameters = { client_id, redirect_uri: uri, code_challenge: challenge, ...more };
    return {
      client_id,
      verifier,
      page: await signedIn.open(authorizeUrl(issuer, parameters)),
    };
  }

  it.each(URIS)('begins with the registered %s, for a code', async (uri, separator) => {
    const { page, client_id, verifier } = await open(uri);
    const stop = await signedIn.submit(page, { decision: 'approve' });

    const answered = locationOf(stop);
    expect(answered.slice(0, uri.length)).toBe(uri);
    const rest = answered.slice(uri.length);
    expect(rest.slice(0, separator.length + 5)).toBe(`${separator}code=`);
    const parameters = new URLSearchParams(rest.slice(separator.length));
    expect(Object.fromEntries(parameters)).toEqual({
      code: expect.stringMatching(/^bwp_ac_/),
      state: 'some-state',
      iss: issuer,
    });
    expect(stop.html).not.toContain('bwp_ac_');
    const tokens = await post(gatehouse, 'token', {
      grant_type: 'authorization_code',
      code: parameters.get('code') ?? '',
      redirect_uri: uri,
      code_verifier: verifier,
      client_id,
    });
    expect(tokens.status).toBe(200);
  });

  it.each(URIS)('begins with the registered %s, for an error', async (uri, separator) => {
    const refused = await open(uri, { response_type: 'token' });
    expect(locationOf(refused.page)).toMatch(/^[\x21-\x7e]+$/);
    expect(locationOf(refused.page).startsWith(`${uri}${separator}error=`)).toBe(true);

    const { page } = await open(uri, { state: 'a b&c=d' });
    const stop = await signedIn.submit(page, { decision: 'deny' });
    const answered = locationOf(stop);
    expect(answered.startsWith(`${uri}${separator}error=access_denied&`)).toBe(true);
    const parameters = new URLSearchParams(answered.slice(uri.length + separator.length));
    expect(parameters.get('state')).toBe('a b&c=d');
    expect(parameters.get('iss')).toBe(issuer);
  });

  it('shows no text from a redirect URI before the user has signed in', async () => {
    const uri = 'https://app.example.com/cb?error=Call&error_description=Call+555-0100';
    const { client_id } = await registerClient(gatehouse, { redirect_uris: [uri] });
    const stranger = createBrowser({ origin: gatehouse.origin, issuer });
    const stop = await stranger.open(
      authorizeUrl(issuer, { client_id, redirect_uri: uri, response_type: 'token' }),
    );

    expect(stop.status).toBe(400);
    expect(locationOf(stop)).toBe('');
    expect(mainOf(stop)).not.toContain('555');
    expect(mainOf(stop)).toContain('unsupported_response_type');
  });

  it('is compared byte for byte, except for the port on loopback', async () => {
    const ask = async (registered: string, presented: string) => {
      const { client_id } = await registerClient(gatehouse, { redirect_uris: [registered] });
      const { challenge: code_challenge } = createPkce();
      return signedIn.open(
        authorizeUrl(issuer, { client_id, redirect_uri: presented, code_challenge }),
      );
    };
    for (const [registered, presented] of [
      ['https://app.example.com/cb?flag', 'https://app.example.com/cb?flag='],
      ['https://app.example.com/cb?a=%20', 'https://app.example.com/cb?a=+'],
      ['https://app.example.com/cb?a=%2F', 'https://app.example.com/cb?a=/'],
      ['https://app.example.com/cb?a=%2F', 'https://app.example.com/cb?a=%2f'],
      ['https://app.example.com/cb?a&b', 'https://app.example.com/cb?b&a'],
      ['https://app.example.com/cb?', 'https://app.example.com/cb'],
      ['https://app.example.com', 'https://app.example.com/'],
      ['http://127.0.0.1:1/cb?a=%2F', 'http://127.0.0.1:2/cb?a=/'],
    ] as const) {
      const stop = await ask(registered, presented);
      expect([presented, stop.status]).toEqual([presented, 400]);
      expect(locationOf(stop)).toBe('');
    }

    const page = await ask('http://127.0.0.1:1/cb?a=%2F', 'http://127.0.0.1:2/cb?a=%2F');
    const stop = await signedIn.submit(page, { decision: 'approve' });
    expect(locationOf(stop).startsWith('http://127.0.0.1:2/cb?a=%2F&code=')).toBe(true);
  });

  it('is the same after a sign-in on the way', async () => {
    const uri = 'https://app.example.com/cb?flag&x=%e9';
    const { client_id } = await registerClient(gatehouse, { redirect_uris: [uri] });
    const { challenge: code_challenge } = createPkce();
    const browser = createBrowser({ origin: gatehouse.origin, issuer });
    let stop = await browser.open(
      authorizeUrl(issuer, { client_id, redirect_uri: uri, code_challenge }),
    );
    stop = await browser.submit(stop, { email: user.email, password: PASSWORD });
    stop = await browser.submit(stop, { decision: 'approve' });
    expect(locationOf(stop).startsWith(`${uri}&code=bwp_ac_`)).toBe(true);
  });
});
