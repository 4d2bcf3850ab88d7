import { describe, expect, it } from '@jest/globals';

import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('GET /api/v1/me', () => {
  const gatehouse = useGatehouse();

  it('describes the key, with scopes in the order of the catalogue', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const scopes = ['leads:read', 'contacts:write', 'contacts:read'];
    const key = await gatehouse.createKey(tenant, { name: 'Sync', scopes, environment: 'test' });

    const answer = await gatehouse.http.get('/api/v1/me').set(key.bearer);

    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      data: {
        keyId: key.id,
        keyName: 'Sync',
        tenantId: tenant.id,
        scopes: ['contacts:read', 'contacts:write', 'leads:read'],
        type: 'api_key',
        environment: 'test',
        principal: { kind: 'tenant', id: tenant.id },
      },
      meta: { request_id: answer.headers['x-request-id'] },
    });
  });
});
