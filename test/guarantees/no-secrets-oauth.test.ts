import { beforeAll, describe, expect, it } from '@jest/globals';

import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import {
  REDIRECT,
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  PASSWORD,
  post,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { authenticationOf, getCodeForm, refresh } from '../support/oauth/oauth-requests.js';

/** Every way in which a secret could be written. */
function traces(secret: string): readonly string[] {
  const random = secret.replace(/^bwp_[a-z]+_/, '').slice(0, 43);
  const bytes = Buffer.from(random);
  return [random, random.slice(0, 20), bytes.toString('hex'), bytes.toString('base64url')];
}

/** Goes through every flow of OAuth, refusals and half-finished ones included. */
describe('no secret of OAuth', () => {
  const gatehouse = useGatehouseBehindProxy({ LOG_LEVEL: 'trace', REFRESH_GRACE_SECONDS: '30' });
  let user: TestUser;
  let dump: string;
  let log: string;
  const secrets: string[] = [];
  const places: string[] = [];
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
    const open = await registerClient(gatehouse);
    const confidential = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    for (const client of [open, confidential]) await exercise(client);
    await breakThings(open);
    await gatehouse.app.activity.flush();
    dump = await gatehouse.database.dump();
    log = gatehouse.logged.join('\n');
  }, 60_000);

  const keep = (...found: (string | undefined)[]) =>
    secrets.push(...found.flatMap((secret) => secret || []));

  async function exercise(client: TestClient): Promise<void> {
    keep(client.client_secret, client.registration_access_token);
    const browser = createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
    await leaveOpen(browser, client);
    const parameters = { scope: 'openid contacts:read offline_access' };
    const form = await getCodeForm(gatehouse, { client, user, browser, parameters });
    keepCookies(browser);
    keep(form['code'], form['code_verifier']);
    const first = await redeem(form);
    const second = await tokensOf(await refresh(gatehouse, client, first.refresh_token));
    await useUp(client, [first.access_token, second.access_token, second.refresh_token]);
    keep((await getCodeForm(gatehouse, { client, user, parameters }))['code']);
    // Once more: that is reuse.
    await note(await post(gatehouse, 'token', form));
  }

  /** A sign-in and a consent page that nobody finishes. */
  async function leaveOpen(browser: Browser, client: TestClient): Promise<void> {
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
    });
    const login = await browser.open(url);
    keepCookies(browser);
    await browser.submit(login, { email: user.email, password: 'the wrong password' });
    await browser.submit(login, { email: user.email, password: PASSWORD });
    keepCookies(browser);
  }

  /** Cookies that are not signatures: those can be told from nothing. */
  function keepCookies({ cookies }: Browser): void {
    keep(...[...cookies].flatMap(([name, value]) => (name.includes('.sig') ? [] : [value])));
  }

  async function tokensOf(answer: Response) {
    const tokens = (await answer.json()) as { access_token: string; refresh_token: string };
    keep(tokens.access_token, tokens.refresh_token);
    return tokens;
  }
  const redeem = async (form: Record<string, string>) =>
    tokensOf(await post(gatehouse, 'token', form));
  const note = async (answer: Response) =>
    places.push(JSON.stringify([...answer.headers]) + (await answer.text()));

  async function useUp(client: TestClient, tokens: readonly string[]): Promise<void> {
    const who = authenticationOf(client);
    for (const token of tokens) {
      const headers = { Authorization: `Bearer ${token}` };
      const { origin } = gatehouse;
      for (const path of ['/api/v1/me', '/api/v1/oauth/userinfo', `/api/v1/oauth/${token}`]) {
        await note(await fetch(origin + path, { headers }));
      }
      await note(await fetch(`${origin}/api/v1/oauth/userinfo?access_token=${token}`));
      await note(await fetch(`${origin}/login/${token}`, { headers }));
      await note(await post(gatehouse, 'introspect', { token, ...who }));
      await note(await post(gatehouse, 'token', { grant_type: token, ...who }));
      await note(await post(gatehouse, 'token', { scope: token, grant_type: 'x', ...who }));
      const proof = { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' };
      const pushed = { response_type: 'code', redirect_uri: REDIRECT, scope: token, ...proof };
      await note(await post(gatehouse, 'par', { ...pushed, ...who }));
      expect(places.at(-1)).toContain('invalid_scope');
      await note(await post(gatehouse, 'revoke', { token, ...who, client_secret: 'x' }));
      await note(await post(gatehouse, 'revoke', { token, client_id: token }));
    }
  }

  async function breakThings(client: TestClient): Promise<void> {
    const form = await getCodeForm(gatehouse, { client, user });
    keep(form['code'], form['code_verifier']);
    const { database } = gatehouse;
    for (const table of ['access_tokens', 'refresh_tokens', 'grants']) {
      await database.query(`ALTER TABLE ${table} RENAME TO gone`);
      const token = gatehouse.format.mint('at');
      keep(token);
      await note(await post(gatehouse, 'token', form));
      await note(await post(gatehouse, 'revoke', { token, client_id: client.client_id }));
      await note(await refresh(gatehouse, client, gatehouse.format.mint('rt')));
      await database.query(`ALTER TABLE gone RENAME TO ${table}`);
    }
    await redeem(form);
  }

  it('is left out of the scenario', () => {
    const kinds = secrets.map((secret) => /^bwp_([a-z]+)_/.exec(secret)?.[1] ?? 'cookie');
    expect(new Set(kinds)).toEqual(new Set(['ac', 'at', 'rt', 'cs', 'rat', 'cookie']));
    for (const table of ['oauth_artifacts', 'sessions', 'grants', 'clients', 'refresh_tokens']) {
      expect(dump).toMatch(new RegExp(`^${table}.*\n\\(`, 'm'));
    }
    expect(log.includes('does not exist')).toBe(true);
    expect(places.join('')).toContain('server_error');
  });

  it('is in any row of any table', () => {
    const found = secrets.filter((secret) => traces(secret).some((trace) => dump.includes(trace)));
    expect(found).toEqual([]);
    expect(dump.includes(PASSWORD)).toBe(false);
  });

  it('is in any line of the log', () => {
    const found = secrets.filter((secret) => traces(secret).some((trace) => log.includes(trace)));
    expect(found).toEqual([]);
    for (const text of [PASSWORD, 'the wrong password']) expect(log.includes(text)).toBe(false);
  });

  it('is in any answer outside the declared ones', () => {
    for (const secret of secrets) {
      const found = places.filter((text) => text.includes(secret.slice(-30)));
      expect(found).toEqual([]);
    }
  });
});
