import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { freshAddress } from '../support/app/clients.js';
import { createDeviceUser, type DeviceUser } from '../support/oauth/device.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  post,
  REDIRECT,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { authenticationOf, expectOAuthError, refresh } from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const SCOPE = 'contacts:read contacts:write offline_access openid';

interface Codes {
  readonly device_code: string;
  readonly user_code: string;
  readonly verification_uri: string;
  readonly verification_uri_complete: string;
  readonly expires_in: number;
  readonly interval: number;
}

describe('the device grant (RFC 8628)', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1/32' });
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let person: DeviceUser;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse, { grant_types: [DEVICE_GRANT, 'refresh_token'] });
  });
  beforeEach(async () => {
    await gatehouse.database.query('DELETE FROM attempts');
    await gatehouse.database.shiftClock('0 seconds');
    person = createDeviceUser(gatehouse, user);
  });

  const begin = (of = client, fields: Readonly<Record<string, string>> = {}) =>
    post(
      gatehouse,
      'device',
      { scope: SCOPE, ...authenticationOf(of), ...fields },
      { 'X-Forwarded-For': freshAddress() },
    );
  async function codes(of = client, fields?: Readonly<Record<string, string>>): Promise<Codes> {
    const answer = await begin(of, fields);
    expect(answer.status).toBe(200);
    return (await answer.json()) as Codes;
  }
  const poll = ({ device_code: code }: Pick<Codes, 'device_code'>, of = client) =>
    post(gatehouse, 'token', {
      grant_type: DEVICE_GRANT,
      device_code: code,
      ...authenticationOf(of),
    });
  let shifted = 0;
  /** The next poll is in time. */
  async function later(seconds = 6): Promise<void> {
    shifted += seconds;
    await gatehouse.database.shiftClock(`${shifted} seconds`);
  }
  beforeEach(() => {
    shifted = 0;
  });

  it('answers with both codes and the page (§3.2)', async () => {
    const answer = await begin();
    expect(answer.headers.get('Cache-Control')).toContain('no-store');
    const body = (await answer.json()) as Codes;
    const page = `${gatehouse.config.ISSUER}/device`;
    expect(body).toEqual({
      device_code: expect.stringMatching(/^bwp_dc_[0-9A-Za-z]{49}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: page,
      verification_uri_complete: `${page}?user_code=${body.user_code}`,
      expires_in: 600,
      interval: 5,
    });
  });

  it('issues tokens once the user has allowed it (§3.5)', async () => {
    const asked = await codes();
    await expectOAuthError(await poll(asked), 400, 'authorization_pending');
    await person.decide(asked.user_code, 'approve');
    await later();
    const answer = await poll(asked);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Cache-Control')).toContain('no-store');
    const tokens = (await answer.json()) as TokenResponse;
    expect(tokens).toEqual({
      access_token: expect.stringMatching(/^bwp_at_/),
      refresh_token: expect.stringMatching(/^bwp_rt_/),
      id_token: expect.stringMatching(/^ey/),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: SCOPE,
    });
    const me = await gatehouse.http
      .get('/api/v1/me')
      .set('Authorization', `Bearer ${tokens.access_token}`);
    expect(me.body.data).toMatchObject({
      clientId: client.client_id,
      userId: user.id,
      tenantId: tenant.id,
    });
    expect((await refresh(gatehouse, client, tokens.refresh_token)).status).toBe(200);
    await later();
    await expectOAuthError(await poll(asked), 400, 'invalid_grant');
  });

  it('lets one of several polls win (§3.4)', async () => {
    const asked = await codes();
    await person.decide(asked.user_code, 'approve');
    const answers = await Promise.all([poll(asked), poll(asked), poll(asked)]);
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
  });

  it('tells the device that the user refused (§3.5)', async () => {
    const asked = await codes();
    const page = await person.decide(asked.user_code, 'deny');
    expect(page.html).toContain('gets no access');
    await expectOAuthError(await poll(asked), 400, 'access_denied');
  });

  it('asks a device that polls too often to slow down (§3.5)', async () => {
    const asked = await codes();
    await expectOAuthError(await poll(asked), 400, 'authorization_pending');
    await expectOAuthError(await poll(asked), 400, 'slow_down');
    await later();
    await expectOAuthError(await poll(asked), 400, 'authorization_pending');
  });

  it('answers a decision to a poll that comes too early (§3.5)', async () => {
    const asked = await codes();
    await expectOAuthError(await poll(asked), 400, 'authorization_pending');
    await person.decide(asked.user_code, 'approve');
    expect((await poll(asked)).status).toBe(200);
    await expectOAuthError(await poll(asked), 400, 'invalid_grant');
  });

  it('ends after ten minutes, for the device and the user (§3.2, §3.5)', async () => {
    const asked = await codes();
    await later(601);
    await expectOAuthError(await poll(asked), 400, 'expired_token');
    const stop = await person.type(asked.user_code);
    expect([stop.status, mainOf(stop)]).toEqual([
      422,
      expect.stringContaining('wrong or has expired'),
    ]);
  });

  it('issues nothing to another client, for an unknown code, or after the grant has ended (§3.4)', async () => {
    const asked = await codes();
    await person.decide(asked.user_code, 'approve');
    const other = await registerClient(gatehouse, {
      client_name: 'Other',
      grant_types: [DEVICE_GRANT],
    });
    await expectOAuthError(await poll(asked, other), 400, 'invalid_grant');
    const unknown = { device_code: gatehouse.format.mint('dc') };
    await expectOAuthError(await poll(unknown), 400, 'invalid_grant');
    await expectOAuthError(await poll({ device_code: 'x' }), 400, 'invalid_grant');
    await gatehouse.database.query(
      `INSERT INTO revocations (subject, seq, revoked_by)
       SELECT id, nextval('issue_order'), '' FROM grants WHERE client_id = $1`,
      [client.client_id],
    );
    await later();
    await expectOAuthError(await poll(asked), 400, 'invalid_grant');
  });

  it('needs a client that registered for it, and scopes and resources that exist (§3.1)', async () => {
    const plain = await registerClient(gatehouse, { client_name: 'Plain' });
    await expectOAuthError(await begin(plain), 400, 'unauthorized_client');
    await expectOAuthError(await begin(client, { client_id: 'cli_none' }), 401, 'invalid_client');
    await expectOAuthError(await begin(client, { scope: 'contacts:fly' }), 400, 'invalid_scope');
    const resource = 'https://elsewhere.example';
    await expectOAuthError(await begin(client, { resource }), 400, 'invalid_target');
  });

  it('polls only for a client that is still registered for it (§3.4)', async () => {
    const metadata = { client_name: 'Former', redirect_uris: [REDIRECT] };
    const former = await registerClient(gatehouse, {
      ...metadata,
      grant_types: [DEVICE_GRANT],
      token_endpoint_auth_method: 'client_secret_post',
    });
    const asked = await codes(former);
    await person.decide(asked.user_code, 'approve');
    const changed = await fetch(
      `${gatehouse.origin}${new URL(former.registration_client_uri).pathname}`,
      {
        method: 'PUT',
        headers: {
          Authorization: `Bearer ${former.registration_access_token}`,
          'Content-Type': 'application/json',
        },
        body: JSON.stringify({ ...metadata, grant_types: ['authorization_code'] }),
      },
    );
    expect(changed.status).toBe(200);
    await expectOAuthError(await poll(asked, former), 400, 'unauthorized_client');
  });

  it('gives no other grant: a device code is not an authorization code, and its client gets none', async () => {
    const asked = await codes();
    await person.decide(asked.user_code, 'approve');
    const answer = await post(gatehouse, 'token', {
      grant_type: 'authorization_code',
      code: asked.device_code,
      redirect_uri: 'https://app.example.com/callback',
      code_verifier: 'x'.repeat(43),
      ...authenticationOf(client),
    });
    expect(answer.status).toBe(400);
    const url = authorizeUrl(gatehouse.config.ISSUER, {
      client_id: client.client_id,
      code_challenge: createPkce().challenge,
    });
    const stop = await createBrowser({
      origin: gatehouse.origin,
      issuer: gatehouse.config.ISSUER,
    }).open(url);
    expect(stop.status).toBe(400);
  });

  describe('the page', () => {
    it('sends an anonymous visitor to sign in, and back with the code (§3.3.1)', async () => {
      const asked = await codes();
      const stop = await person.open(`/device?user_code=${asked.user_code}`);
      expect(stop.url).toContain('/device?user_code=');
      expect(stop.html).toContain(asked.user_code);
      expect(stop.headers.get('Content-Security-Policy')).not.toContain('form-action');
    });

    it('takes a code in any case and without its dash, and says that another device asks (§5.4, §6.1)', async () => {
      const asked = await codes();
      const typed = asked.user_code.toLowerCase().replace('-', ' ');
      const stop = await person.type(typed);
      expect(stop.html).toContain('The request comes from another device');
      expect(stop.html).toContain(asked.user_code);
    });

    it('lets the user choose the organization and what to allow (§3.3)', async () => {
      const second = await gatehouse.createTenant(`second-${Date.now()}`);
      const member = await createUser(gatehouse, [
        [tenant, 'viewer'],
        [second, 'company_admin'],
      ]);
      const own = createDeviceUser(gatehouse, member);
      const asked = await codes();
      const choice = await own.type(asked.user_code);
      expect(choice.html).toContain('Choose an organization');
      const consent = await own.submit(choice, { tenant_id: second.id });
      await own.submit(consent, { decision: 'approve', scope: ['contacts:read'] });
      const { scope } = (await (await poll(asked)).json()) as TokenResponse;
      expect(scope).toBe('contacts:read openid');
    });

    it('refuses the device if the user can allow nothing of the request (§3.5)', async () => {
      for (const [memberships, reason] of [
        [[[tenant, 'viewer']], 'Your role allows none of the requested permissions'],
        [[], 'Your account belongs to no organization'],
      ] as const) {
        const member = await createUser(gatehouse, memberships);
        const asked = await codes(client, { scope: 'contacts:write' });
        const stop = await createDeviceUser(gatehouse, member).type(asked.user_code);
        expect(mainOf(stop)).toContain(reason);
        await expectOAuthError(await poll(asked), 400, 'access_denied');
      }
    });

    it('lets nobody try more than twenty wrong codes an hour from an address (§5.1)', async () => {
      for (let count = 0; count < 20; count += 1) {
        expect((await person.type('BCDF-GHJK')).status).toBe(count < 10 ? 422 : 429);
      }
      const stop = await person.type('LMNP-QRST');
      expect([stop.status, mainOf(stop)]).toEqual([429, expect.stringContaining('Too many')]);
    });

    it('accepts no decision from another site, and none twice (§3.3)', async () => {
      const asked = await codes();
      const consent = await person.type(asked.user_code);
      const forged = await person.submit(consent, { decision: 'approve', csrf: 'forged' });
      expect(forged.status).toBe(403);
      await person.submit(consent, { decision: 'deny' });
      const again = await person.submit(consent, { decision: 'approve' });
      expect(again.status).toBe(422);
      await expectOAuthError(await poll(asked), 400, 'access_denied');
    });
  });
});
