import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('the whole flow', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let user: TestUser;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  });

  it('ends with tokens for the granted scopes', async () => {
    const client = await registerClient(gatehouse);
    const tokens = await getTokens(gatehouse, {
      client,
      user,
      parameters: { scope: 'openid contacts:read offline_access' },
    });
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });

    const me = await gatehouse.http
      .get('/api/v1/me')
      .set('Authorization', `Bearer ${tokens.access_token}`);
    expect(me.body).toMatchObject({ data: { type: 'access_token', userId: user.id } });
    const userinfo = await gatehouse.http
      .get('/api/v1/oauth/userinfo')
      .set('Authorization', `Bearer ${tokens.access_token}`);
    expect(userinfo.body).toEqual({
      sub: user.id,
      tenant_id: tenant.id,
      scopes: ['contacts:read', 'offline_access', 'openid'],
      email: user.email,
      name: 'Ada Example',
      role: 'company_admin',
    });
    const refreshed = await post(gatehouse, 'token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token ?? '',
      client_id: client.client_id,
    });
    expect(refreshed.status).toBe(200);
  });
});
