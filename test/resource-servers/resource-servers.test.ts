import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestKey } from '../support/app/app.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  mainOf,
  PASSWORD,
  post,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { expectOAuthError, refresh, statusOfToken } from '../support/oauth/oauth-requests.js';
import {
  addResourceServer,
  resourcesCommand,
  type TestResourceServer,
} from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const FILES = 'https://files.example.com/api';
const SCOPES = ['--scopes', 'documents:read documents:write'];
const INACTIVE = { active: false };

describe('resource servers', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let files: TestResourceServer;
  let mail: TestResourceServer;
  let key: TestKey;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
    files = await addResourceServer(gatehouse, FILES, ...SCOPES);
    mail = await addResourceServer(gatehouse, 'urn:example:mail', '--accepts-keys', 'false');
    key = await gatehouse.createKey(tenant, { scopes: ['documents:read', 'leads:read'] });
  });

  const tokensFor = (resource: string, more: Record<string, string> = {}, of = client) =>
    getTokens(gatehouse, {
      client: of,
      user,
      parameters: { scope: 'documents:read leads:read offline_access', resource, ...more },
    });
  const introspect = async (token: string, headers: Readonly<Record<string, string>>) => {
    const answer = await post(gatehouse, 'introspect', { token }, headers);
    expect(answer.status).toBe(200);
    return (await answer.json()) as Record<string, unknown>;
  };
  const basic = (id: string, secret: string) => ({
    Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
  });
  /** The error that the page for a visitor who has not signed in names. */
  const errorOf = async (parameters: Record<string, string>, of = client) => {
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: of.client_id,
      code_challenge: createPkce().challenge,
      ...parameters,
    });
    const { html } = await newBrowser().open(url);
    return /<code>(\w+)<\/code>/.exec(html)?.[1];
  };
  const newBrowser = () =>
    createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });

  describe('resources on the command line', () => {
    it('adds a server with defaults, and shows its credential once', async () => {
      const words = ['add', 'https://new.example.com/x/', '--name', 'New'];
      const { json, code } = await resourcesCommand(gatehouse, ...words);
      expect({ code, json }).toEqual({
        code: 0,
        json: {
          id: expect.stringMatching(/^rsv_[0-9A-Z]{26}$/),
          identifier: 'https://new.example.com/x/',
          name: 'New',
          scopes: null,
          acceptsKeys: true,
          dynamicClients: true,
          createdAt: expect.any(String),
          credential: expect.stringMatching(/^bwp_rs_[0-9A-Za-z]{49}$/),
        },
      });
      const shown = await resourcesCommand(gatehouse, 'show', 'HTTPS://new.example.com:443/x');
      expect(shown.json).toMatchObject({ id: json['id'], credentials: [{ expiresAt: null }] });
      expect(shown.stdout).not.toContain(json['credential']);
      const listed = await resourcesCommand(gatehouse, 'list');
      expect(listed.stdout).toContain('urn:example:mail');
      await resourcesCommand(gatehouse, 'remove', String(json['id']));
      expect((await resourcesCommand(gatehouse, 'show', String(json['id']))).code).toBe(1);
    });

    it('refuses an identifier that is taken in any spelling, its own, or no absolute URI', async () => {
      for (const identifier of [
        FILES,
        `${FILES.replace('https', 'HTTPS')}/`,
        gatehouse.config.ISSUER,
        `${gatehouse.config.ISSUER}/api/v1/`,
        'files',
        '/files',
        'https://files.example.com/#x',
        'https://user@files.example.com/',
        `https://files.example.com/${'x'.repeat(3000)}`,
      ]) {
        const { code } = await resourcesCommand(gatehouse, 'add', identifier, '--name', 'X');
        expect({ identifier, isDone: code === 0 }).toEqual({ identifier, isDone: false });
      }
      for (const options of [
        ['--scopes', 'files:read'],
        ['--scopes', ' '],
        ['--name', ''],
      ]) {
        const words = ['add', 'https://y.example/', '--name', 'Y', ...options];
        expect((await resourcesCommand(gatehouse, ...words)).code).not.toBe(0);
      }
    });

    it('records who did what, without a secret', async () => {
      const rows = await gatehouse.database.query<{ action: string; details: object }>(
        `SELECT action, details FROM audit_log WHERE subject = $1`,
        [files.id],
      );
      expect(rows).toEqual([
        { action: 'resource.add', details: { identifier: FILES, name: 'Files API' } },
      ]);
    });
  });

  describe('tokens', () => {
    it('have its audience, and only scopes that it takes', async () => {
      const tokens = await tokensFor(`${FILES}/?x=1`);
      expect(tokens.scope).toBe('documents:read offline_access');
      expect(await introspect(tokens.access_token, files.bearer)).toMatchObject({
        active: true,
        aud: FILES,
        scope: 'documents:read offline_access',
        tenant_id: tenant.id,
        client_id: client.client_id,
      });
      const again = await refresh(gatehouse, client, tokens.refresh_token);
      const next = (await again.json()) as { access_token: string; scope: string };
      expect(next.scope).toBe('documents:read offline_access');
      expect(await introspect(next.access_token, files.bearer)).toMatchObject({ aud: FILES });
    });

    it('are refused by the API, userinfo and other servers (RFC 8707 §2.2)', async () => {
      const { access_token: token } = await tokensFor(FILES);
      expect(await statusOfToken(gatehouse, token)).toBe(401);
      const headers = { Authorization: `Bearer ${token}` };
      const userinfo = await fetch(`${gatehouse.origin}/api/v1/oauth/userinfo`, { headers });
      expect(userinfo.status).toBe(401);
      expect(await introspect(token, mail.bearer)).toEqual(INACTIVE);
      const { access_token: own } = await tokensFor('');
      expect(await introspect(own, files.bearer)).toEqual(INACTIVE);
    });

    it('can be for several resources, one at a time, each with the scopes of its resource', async () => {
      const { verifier, challenge } = createPkce();
      const url = authorizeUrl(gatehouse.config.ISSUER, {
        client_id: client.client_id,
        code_challenge: challenge,
        scope: 'documents:read leads:read offline_access',
      });
      const browser = newBrowser();
      const query = [FILES, `${gatehouse.config.ISSUER}/api/v1`]
        .map((one) => `&resource=${encodeURIComponent(one)}`)
        .join('');
      let stop = await browser.open(url + query);
      stop = await browser.submit(stop, { email: user.email, password: PASSWORD });
      stop = await browser.submit(stop, { decision: 'approve' });
      const answer = await post(gatehouse, 'token', {
        grant_type: 'authorization_code',
        code: new URL(stop.url).searchParams.get('code') ?? '',
        redirect_uri: 'https://app.example.com/callback',
        code_verifier: verifier,
        client_id: client.client_id,
        resource: FILES,
      });
      const tokens = (await answer.json()) as { scope: string; refresh_token: string };
      expect(tokens.scope).toBe('documents:read offline_access');
      const other = await refresh(gatehouse, client, tokens.refresh_token, {
        resource: gatehouse.config.ISSUER + '/api/v1',
      });
      expect(await other.json()).toMatchObject({
        scope: 'leads:read documents:read offline_access',
      });
    });

    it('are refused for an unknown resource, and if the resource takes no requested scope', async () => {
      expect(await errorOf({ resource: 'https://files.example.com/' })).toBe('invalid_target');
      expect(await errorOf({ resource: FILES, scope: 'leads:read openid' })).toBe('invalid_scope');
      const own = await tokensFor('');
      const answer = await refresh(gatehouse, client, own.refresh_token, { resource: FILES });
      await expectOAuthError(answer, 400, 'invalid_target');
    });

    it('lose what the server no longer takes, with the next request', async () => {
      const wide = await addResourceServer(gatehouse, 'https://wide.example.com');
      const { access_token: token, scope } = await tokensFor(wide.identifier);
      expect(scope).toBe('leads:read documents:read offline_access');
      await resourcesCommand(gatehouse, 'update', wide.id, '--scopes', 'leads:read');
      expect(await introspect(token, wide.bearer)).toMatchObject({
        scope: 'leads:read offline_access',
      });
    });
  });

  describe('consent', () => {
    const page = async (resource: string, browser = newBrowser()) => {
      const url = authorizeUrl(gatehouse.config.ISSUER, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
        scope: 'documents:read',
        resource,
      });
      const stop = await browser.open(url);
      if (!stop.html.includes('name="password"')) return stop;
      return browser.submit(stop, { email: user.email, password: PASSWORD });
    };

    it('names the server', async () => {
      const other = await addResourceServer(
        gatehouse,
        'https://a.example',
        '--name',
        'A & <B> API',
      );
      expect(mainOf(await page(other.identifier))).toContain('for <em>A &amp; &lt;B&gt; API</em>?');
      expect(mainOf(await page(''))).not.toContain('<em>');
    });

    it('to one resource is not consent to another', async () => {
      client = await registerClient(gatehouse);
      const browser = newBrowser();
      const isAsked = async (resource: string) => {
        const stop = await page(resource, browser);
        if (!stop.html.includes('value="approve"')) return false;
        await browser.submit(stop, { decision: 'approve' });
        return true;
      };
      expect(await isAsked('')).toBe(true);
      expect(await isAsked(FILES)).toBe(true);
      expect(await isAsked(mail.identifier)).toBe(true);
      expect([await isAsked(''), await isAsked(FILES), await isAsked(mail.identifier)]).toEqual([
        false,
        false,
        false,
      ]);
    });
  });

  describe('dynamicClients', () => {
    it('set to false admits verified clients only, at authorization and at refresh', async () => {
      const words = ['https://strict.example.com', '--dynamic-clients', 'false'] as const;
      const strict = await addResourceServer(gatehouse, ...words);
      const app = await registerClient(gatehouse);
      const verify = (isVerified: boolean) =>
        gatehouse.database.query('UPDATE clients SET is_verified = $2 WHERE id = $1', [
          app.client_id,
          isVerified,
        ]);
      expect(await errorOf({ resource: strict.identifier }, app)).toBe('invalid_target');
      await verify(true);
      const tokens = await tokensFor(strict.identifier, {}, app);
      expect(await introspect(tokens.access_token, strict.bearer)).toMatchObject({ active: true });
      await verify(false);
      const answer = await refresh(gatehouse, app, tokens.refresh_token);
      await expectOAuthError(answer, 400, 'invalid_grant');
    });
  });

  describe('introspection', () => {
    it('shows keys of every tenant with the scopes that the server takes', async () => {
      expect(await introspect(key.secret, files.bearer)).toMatchObject({
        active: true,
        key_id: key.id,
        scope: 'documents:read',
        tenant_id: tenant.id,
      });
      const other = await gatehouse.createTenant('other');
      const { secret } = await gatehouse.createKey(other);
      expect(await introspect(secret, files.bearer)).toMatchObject({ tenant_id: other.id });
      expect(await introspect(key.secret, mail.bearer)).toEqual(INACTIVE);
    });

    it('judges the allow-list if it is given an address', async () => {
      const { secret } = await gatehouse.createKey(tenant, { allowedIps: ['192.0.2.0/24'] });
      const ask = async (fields: Record<string, string>) =>
        (await post(gatehouse, 'introspect', { token: secret, ...fields }, files.bearer)).json();
      expect(await ask({})).toMatchObject({ active: true, allowed_ips: ['192.0.2.0/24'] });
      expect(await ask({ address: '198.51.100.7' })).toEqual(INACTIVE);
      expect(await ask({ address: '192.0.2.7' })).not.toHaveProperty('allowed_ips');
    });

    it('shows no refresh token, and no other credential of a server', async () => {
      const { refresh_token: token = '' } = await tokensFor(FILES);
      expect(await introspect(token, files.bearer)).toEqual(INACTIVE);
      expect(await introspect(files.credential, files.bearer)).toEqual(INACTIVE);
    });

    it('takes the credential as Bearer, by Basic and in the form, and refuses every other', async () => {
      const { credential, id } = files;
      const form = { token: key.secret, client_id: id, client_secret: credential };
      expect((await (await post(gatehouse, 'introspect', form)).json()).active).toBe(true);
      expect(await introspect(key.secret, basic(id, credential))).toMatchObject({ active: true });
      const mistyped = credential.slice(0, -1) + (credential.endsWith('a') ? 'b' : 'a');
      const unknown = gatehouse.format.mint('rs');
      for (const headers of [
        basic(id, unknown),
        basic(id, mistyped),
        basic(id, key.secret),
        basic(mail.id, credential),
        basic(key.id, credential),
        { Authorization: `Bearer ${unknown}` },
        { Authorization: `Bearer ${mistyped}` },
        { 'X-API-Key': credential },
      ]) {
        const answer = await post(gatehouse, 'introspect', { token: key.secret }, headers);
        expect({ headers, status: answer.status }).toEqual({ headers, status: 401 });
        expect(answer.headers.get('WWW-Authenticate')).toMatch(/^(Basic|Bearer) /);
      }
      const explained = { Authorization: `Bearer ${mistyped}` };
      const answer = await post(gatehouse, 'introspect', { token: key.secret }, explained);
      expect(await answer.text()).toContain('is cut off or mistyped');
    });
  });

  it('have a credential that is refused everywhere else', async () => {
    for (const path of ['/me', '/contacts', '/api-keys', '/oauth/userinfo']) {
      const answer = await gatehouse.http.get(`/api/v1${path}`).set(files.bearer);
      expect({ path, status: answer.status }).toEqual({ path, status: 401 });
      expect(answer.text).not.toContain(files.credential);
    }
    const revoked = await post(gatehouse, 'revoke', { token: files.credential });
    expect(revoked.status).toBe(401);
    expect(await introspect(key.secret, files.bearer)).toMatchObject({ active: true });
  });

  it('rotate their credential with overlap', async () => {
    const server = await addResourceServer(gatehouse, 'https://rotating.example.com');
    const rotate = async (...words: readonly string[]) => {
      const { json } = await resourcesCommand(gatehouse, 'rotate', server.id, ...words);
      return { Authorization: `Bearer ${String(json['credential'])}` };
    };
    const statusOf = async (bearer: Readonly<Record<string, string>>) =>
      (await post(gatehouse, 'introspect', { token: key.secret }, bearer)).status;
    const second = await rotate('--grace', '1h');
    expect([await statusOf(server.bearer), await statusOf(second)]).toEqual([200, 200]);
    const third = await rotate();
    expect([await statusOf(server.bearer), await statusOf(second)]).toEqual([401, 401]);
    const fourth = await rotate('--grace', '1h');
    await gatehouse.database.shiftClock('2 hours');
    expect([await statusOf(third), await statusOf(fourth)]).toEqual([401, 200]);
    await gatehouse.database.shiftClock('0 hours');
  });

  it('end with their credential and all tokens, also for another server at the same address', async () => {
    const gone = await addResourceServer(gatehouse, 'https://gone.example.com');
    const tokens = await tokensFor(gone.identifier);
    const owner = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_post',
    });
    const seen = await tokensFor(gone.identifier, {}, owner);
    const asOwner = async () => {
      const { client_id, client_secret = '' } = owner;
      const fields = { token: seen.access_token, client_id, client_secret };
      return (await post(gatehouse, 'introspect', fields)).json();
    };
    expect(await asOwner()).toMatchObject({ active: true });
    await resourcesCommand(gatehouse, 'remove', gone.identifier, '--reason', 'shut down');
    expect(await asOwner()).toEqual(INACTIVE);
    const refused = await post(gatehouse, 'introspect', { token: key.secret }, gone.bearer);
    expect(refused.status).toBe(401);
    await expectOAuthError(
      await refresh(gatehouse, client, tokens.refresh_token),
      400,
      'invalid_grant',
    );
    expect(await errorOf({ resource: gone.identifier })).toBe('invalid_target');

    const next = await addResourceServer(gatehouse, gone.identifier);
    expect(await introspect(tokens.access_token, next.bearer)).toEqual(INACTIVE);
    expect(await asOwner()).toEqual(INACTIVE);
    await expectOAuthError(
      await refresh(gatehouse, client, tokens.refresh_token),
      400,
      'invalid_grant',
    );
    const { access_token: token } = await tokensFor(gone.identifier);
    expect(await introspect(token, next.bearer)).toMatchObject({ aud: gone.identifier });
  });
});
