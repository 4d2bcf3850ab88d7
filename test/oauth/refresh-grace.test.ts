import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { eraseOldAnswers } from '../../src/grants/grant-cleaning.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestApp } from '../support/app.js';
import { createTestAppBehindProxy } from '../support/clients.js';
import {
  createUser,
  getTokens,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth.js';
import { expectOAuthError, refresh, statusOfToken } from '../support/oauth-requests.js';

describe('REFRESH_GRACE_SECONDS', () => {
  let gatehouse: TestApp;
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  beforeAll(async () => {
    gatehouse = await createTestAppBehindProxy({ REFRESH_GRACE_SECONDS: '30' });
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    client = await registerClient(gatehouse);
  });
  afterAll(() => gatehouse.close());

  const again = (token: string | undefined, more = {}) => refresh(gatehouse, client, token, more);
  const read = async (answer: Response) => (await answer.json()) as TokenResponse;
  /** A token that was just used, and what it was exchanged for. */
  async function used(more = {}) {
    const { refresh_token: token, access_token: access } = await getTokens(gatehouse, {
      client,
      user,
    });
    const successor = await read(await again(token, more));
    return { token, access, successor };
  }
  async function expectDead({ access, successor }: Awaited<ReturnType<typeof used>>) {
    expect(await statusOfToken(gatehouse, access)).toBe(401);
    expect(await statusOfToken(gatehouse, successor.access_token)).toBe(401);
    await expectOAuthError(await again(successor.refresh_token), 400, 'invalid_grant');
  }

  it('gives the same successor to the same request, as often as it asks', async () => {
    const { token, successor } = await used();
    await gatehouse.database.shiftClock('29 seconds');
    for (const answer of [await again(token), await again(token)]) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get('Cache-Control')).toContain('no-store');
      expect(await read(answer)).toEqual(successor);
    }
    await gatehouse.database.shiftClock('0 seconds');
    expect((await again(successor.refresh_token)).status).toBe(200);
  });

  it('takes other parameters for reuse', async () => {
    for (const more of [{ scope: 'contacts:read' }, { resource: gatehouse.config.ISSUER }]) {
      const family = await used();
      expect((await again(family.token, more)).status).toBe(400);
      await expectDead(family);
    }
  });

  it('takes it for reuse when the window is over', async () => {
    const family = await used();
    await gatehouse.database.shiftClock('31 seconds');
    await expectOAuthError(await again(family.token), 400, 'invalid_grant');
    await gatehouse.database.shiftClock('0 seconds');
    await expectDead(family);
  });

  it('takes it for reuse when the successor was used', async () => {
    const family = await used();
    expect((await again(family.successor.refresh_token)).status).toBe(200);
    await expectOAuthError(await again(family.token), 400, 'invalid_grant');
    await expectDead(family);
  });

  it('gives nothing to another client', async () => {
    const { token, successor } = await used();
    const other = await registerClient(gatehouse);
    const answer = await refresh(gatehouse, other, token);
    await expectOAuthError(answer, 400, 'invalid_grant');
    expect(await statusOfToken(gatehouse, successor.access_token)).toBe(200);
  });

  it('gives nothing while the tenant is suspended', async () => {
    const { token, successor } = await used();
    const tenants = createTenantStore(gatehouse.dataSource.manager);
    await tenants.setSuspended(tenant.id, true);
    const answer = await again(token);
    await tenants.setSuspended(tenant.id, false);
    await expectOAuthError(answer, 503, 'temporarily_unavailable');
    expect(await read(await again(token))).toEqual(successor);
  });

  it('gives nothing once the family has ended', async () => {
    const { token, successor } = await used();
    await fetch(`${gatehouse.origin}/api/v1/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: client.client_id,
        token: successor.refresh_token ?? '',
      }),
    });
    await expectOAuthError(await again(token), 400, 'invalid_grant');
  });

  it('keeps the answer sealed, and only until the window is over', async () => {
    const { successor } = await used();
    const kept = () =>
      gatehouse.database.query<{ answer: Buffer }>(
        'SELECT answer FROM refresh_tokens WHERE answer IS NOT NULL',
      );
    expect((await kept()).length).toBeGreaterThan(0);
    const dump = await gatehouse.database.dump();
    for (const secret of [successor.access_token, successor.refresh_token ?? '']) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
    }
    await gatehouse.database.shiftClock('31 seconds');
    await eraseOldAnswers(gatehouse.dataSource.manager);
    expect(await kept()).toEqual([]);
    await gatehouse.database.shiftClock('0 seconds');
  });
});
