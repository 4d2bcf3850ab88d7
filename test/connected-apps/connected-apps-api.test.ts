import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { signedInBrowser, type SignedInBrowser } from '../support/browser/session.js';
import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Installation {
  readonly id: string;
  readonly clientId: string;
  readonly clientName: string;
  readonly account: { readonly email: string };
  readonly lastUsedAt: string | null;
}

const gatehouse = useGatehouse();
let acme: Tenant;
let bolt: Tenant;
let ada: TestUser;
let bob: TestUser;
let eve: TestUser;
let as: Record<'ada' | 'bob' | 'eve', SignedInBrowser>;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  bolt = await gatehouse.createTenant('bolt');
  ada = await createUser(gatehouse, [[acme, 'company_admin']]);
  bob = await createUser(gatehouse, [[acme, 'member']]);
  eve = await createUser(gatehouse, [[bolt, 'company_admin']]);
  as = {
    ada: await signedInBrowser(gatehouse, ada),
    bob: await signedInBrowser(gatehouse, bob),
    eve: await signedInBrowser(gatehouse, eve),
  };
});

let app: TestClient;
let ofBob: TokenResponse;
let ofAda: TokenResponse;
let ofEve: TokenResponse;
beforeEach(async () => {
  await gatehouse.database.query('DELETE FROM attempts');
  app = await registerClient(gatehouse);
  // Lists are ordered by creation, so they follow each other.
  ofBob = await getTokens(gatehouse, { client: app, user: bob, browser: as.bob.browser });
  ofAda = await getTokens(gatehouse, { client: app, user: ada, browser: as.ada.browser });
  ofEve = await getTokens(gatehouse, { client: app, user: eve, browser: as.eve.browser });
});

const statusOf = async ({ access_token: token }: TokenResponse) =>
  (await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`)).status;
const refresh = ({ refresh_token: token = '' }: TokenResponse) =>
  post(gatehouse, 'token', {
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: app.client_id,
  });
const list = async (who: SignedInBrowser, query = ''): Promise<Installation[]> => {
  const client = encodeURIComponent(app.client_id);
  const { status, data } = await who.call('GET', `/connected-apps?clientId=${client}${query}`);
  expect(status).toBe(200);
  return data as unknown as Installation[];
};
const actions = (subject: string) =>
  gatehouse.database.query<{ action: string; actor: string }>(
    `SELECT action, actor, tenant_id, details FROM audit_log
     WHERE subject = $1 AND action NOT IN ('grant.create', 'client.register') ORDER BY at`,
    [subject],
  );

describe('GET /api/v1/connected-apps', () => {
  it("lists a member's own installations, with the last use", async () => {
    await statusOf(ofBob);
    await gatehouse.app.activity.flush();

    const [installation, ...others] = await list(as.bob);

    expect(others).toEqual([]);
    expect(installation).toEqual({
      id: expect.stringMatching(/^grt_/),
      clientId: app.client_id,
      clientName: expect.stringMatching(/^Test app/),
      verified: false,
      redirectKind: 'web',
      redirectHost: 'app.example.com',
      account: { id: bob.id, email: bob.email, name: 'Ada Example' },
      scopes: ['contacts:read', 'offline_access'],
      createdAt: expect.any(String),
      lastUsedAt: expect.any(String),
      lastUsedIp: '127.0.0.1',
    });
  });

  it("lists everybody's for an administrator, and nothing of another organization", async () => {
    const found = await list(as.ada, '&of=organization');

    expect(found.map(({ account }) => account.email)).toEqual([ada.email, bob.email]);
    expect((await list(as.ada)).map(({ account }) => account.email)).toEqual([ada.email]);
    expect((await list(as.eve, '&of=organization')).map((one) => one.account.email)).toEqual([
      eve.email,
    ]);
  });

  it('refuses the list of the organization to members', async () => {
    const answer = await as.bob.call('GET', '/connected-apps?of=organization');

    expect(answer).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('pages through installations', async () => {
    for (let more = 0; more < 3; more += 1) await getTokens(gatehouse, { client: app, user: bob });
    const seen: string[] = [];
    let cursor = '';
    do {
      const path = `/connected-apps?clientId=${app.client_id}&limit=2${cursor}`;
      const answer = (await as.bob.call('GET', path)) as unknown as {
        data: Installation[];
        meta: { pagination: { cursor: string | null } };
      };
      seen.push(...answer.data.map(({ id }) => id));
      const next = answer.meta.pagination.cursor;
      cursor = next === null ? '' : `&cursor=${next}`;
    } while (cursor !== '');

    expect(seen).toHaveLength(4);
    expect(new Set(seen).size).toBe(4);
  });

  it('refuses unknown parameters and values', async () => {
    for (const query of [
      'of=everybody',
      'clientId=',
      'colour=red',
      `clientId=${'x'.repeat(5000)}`,
    ]) {
      expect([query, (await as.ada.call('GET', `/connected-apps?${query}`)).status]).toEqual([
        query,
        422,
      ]);
    }
  });
});

describe('DELETE /api/v1/connected-apps/:id', () => {
  it('ends one installation on the next request, and asks for consent again', async () => {
    const second = await getTokens(gatehouse, { client: app, user: bob });
    const [newest, oldest] = await list(as.bob);

    expect((await as.bob.call('DELETE', `/connected-apps/${oldest?.id}`)).status).toBe(204);

    expect([await statusOf(ofBob), await statusOf(second)]).toEqual([401, 200]);
    expect((await refresh(ofBob)).status).toBe(400);
    expect(await list(as.bob)).toMatchObject([{ id: newest?.id }]);
    expect(await actions(oldest?.id ?? '')).toEqual([
      {
        action: 'grant.revoke',
        actor: bob.id,
        tenant_id: acme.id,
        details: { clientId: app.client_id, accountId: bob.id, reason: null },
      },
    ]);
    const [consent] = await gatehouse.database.query(
      'SELECT FROM consents WHERE account_id = $1 AND client_id = $2',
      [bob.id, app.client_id],
    );
    expect(consent).toBeUndefined();
    // A second time it is not there.
    expect((await as.bob.call('DELETE', `/connected-apps/${oldest?.id}`)).status).toBe(404);
  });

  it("lets administrators end a member's, and members only their own", async () => {
    const [own, other] = await list(as.ada, '&of=organization');

    expect((await as.bob.call('DELETE', `/connected-apps/${own?.id}`)).status).toBe(404);
    expect((await as.eve.call('DELETE', `/connected-apps/${other?.id}`)).status).toBe(404);
    expect([await statusOf(ofAda), await statusOf(ofBob)]).toEqual([200, 200]);
    expect((await as.ada.call('DELETE', `/connected-apps/${other?.id}`)).status).toBe(204);
    expect([await statusOf(ofAda), await statusOf(ofBob)]).toEqual([200, 401]);
  });

  it('needs the CSRF token', async () => {
    const [installation] = await list(as.bob);
    const headers = { 'X-CSRF-Token': 'forged' };
    const path = `/connected-apps/${installation?.id}`;

    expect((await as.bob.call('DELETE', path, undefined, headers)).status).toBe(403);
    expect(await statusOf(ofBob)).toBe(200);
  });
});

describe('POST /api/v1/connected-apps/disconnect', () => {
  it('ends all installations of the signed-in account, and no others', async () => {
    const second = await getTokens(gatehouse, { client: app, user: bob });
    const other = await registerClient(gatehouse);
    const elsewhere = await getTokens(gatehouse, { client: other, user: bob });

    const body = { clientId: app.client_id };
    expect((await as.bob.call('POST', '/connected-apps/disconnect', body)).status).toBe(204);

    expect([await statusOf(ofBob), await statusOf(second)]).toEqual([401, 401]);
    for (const others of [ofAda, ofEve, elsewhere]) expect(await statusOf(others)).toBe(200);
  });

  it('ends those of everybody in the organization for administrators', async () => {
    const body = { clientId: app.client_id, of: 'organization', reason: 'not needed' };
    expect(await as.bob.call('POST', '/connected-apps/disconnect', body)).toMatchObject({
      status: 403,
    });
    expect(await statusOf(ofBob)).toBe(200);
    expect((await as.ada.call('POST', '/connected-apps/disconnect', body)).status).toBe(204);

    expect([await statusOf(ofBob), await statusOf(ofAda)]).toEqual([401, 401]);
    expect(await statusOf(ofEve)).toBe(200);
    expect(await actions(app.client_id)).toMatchObject([
      { action: 'client.revoke', actor: ada.id, details: { reason: 'not needed' } },
    ]);
  });

  it('waits for an installation that is being created', async () => {
    await Promise.all([
      getTokens(gatehouse, { client: app, user: bob }).catch(() => undefined),
      as.bob.call('POST', '/connected-apps/disconnect', { clientId: app.client_id }),
    ]);
    await as.bob.call('POST', '/connected-apps/disconnect', { clientId: app.client_id });

    expect(await list(as.bob)).toEqual([]);
  });

  it('answers 404 for an app that does not exist', async () => {
    const body = { clientId: `cli_${'0'.repeat(32)}` };
    expect((await as.bob.call('POST', '/connected-apps/disconnect', body)).status).toBe(404);
  });
});

describe('POST /api/v1/blocked-apps', () => {
  const blocked = async (who: SignedInBrowser) => {
    const { data } = await who.call('GET', '/blocked-apps');
    return (data as unknown as { clientId: string }[]).map(({ clientId }) => clientId);
  };

  it('ends the app here, and lets nobody here connect it', async () => {
    const body = { clientId: app.client_id, reason: 'not approved' };
    for (const who of [as.bob, as.eve]) {
      expect(await blocked(as.ada)).not.toContain(app.client_id);
      if (who === as.bob) {
        expect((await who.call('POST', '/blocked-apps', body)).status).toBe(403);
        expect((await who.call('GET', '/blocked-apps')).status).toBe(403);
      }
    }
    expect((await as.ada.call('POST', '/blocked-apps', body)).status).toBe(204);

    expect([await statusOf(ofBob), await statusOf(ofAda)]).toEqual([401, 401]);
    expect(await statusOf(ofEve)).toBe(200);
    expect(await blocked(as.ada)).toContain(app.client_id);
    expect(await blocked(as.eve)).toEqual([]);
    await expect(getTokens(gatehouse, { client: app, user: bob })).rejects.toThrow();
    await getTokens(gatehouse, { client: app, user: eve });
  });

  it('is undone by an administrator of the same organization only', async () => {
    await as.ada.call('POST', '/blocked-apps', { clientId: app.client_id });
    const path = `/blocked-apps/${encodeURIComponent(app.client_id)}`;

    expect((await as.bob.call('DELETE', path)).status).toBe(403);
    expect((await as.eve.call('DELETE', path)).status).toBe(404);
    expect((await as.ada.call('DELETE', path)).status).toBe(204);

    expect(await blocked(as.ada)).not.toContain(app.client_id);
    // An ended installation stays ended.
    expect(await statusOf(ofBob)).toBe(401);
    await getTokens(gatehouse, { client: app, user: bob });
  });

  it('needs the role of the moment, not that of the sign-in', async () => {
    const former = await createUser(gatehouse, [[acme, 'company_admin']]);
    const browser = await signedInBrowser(gatehouse, former);
    await gatehouse.database.query(`UPDATE memberships SET role = 'viewer' WHERE account_id = $1`, [
      former.id,
    ]);

    const body = { clientId: app.client_id };
    expect((await browser.call('POST', '/blocked-apps', body)).status).toBe(403);
    expect(await statusOf(ofBob)).toBe(200);
  });
});
