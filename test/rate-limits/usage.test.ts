import { beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import type { TestKey } from '../support/app/app.js';
import { postContact } from '../support/app/contacts.js';
import { createCredential } from '../support/app/credentials.js';
import { DEFAULT_LIMITS, START } from '../support/app/limits.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { expectProblem } from '../support/app/problems.js';

describe('GET /api/v1/usage', () => {
  let now = START;
  const gatehouse = useGatehouse(DEFAULT_LIMITS, () => now);
  let tenant: Tenant;
  let tenants = 0;
  beforeEach(async () => {
    now = START;
    tenants += 1;
    tenant = await gatehouse.createTenant(`tenant-${tenants}`);
  });

  const usage = async (by: Pick<TestKey, 'bearer'>) =>
    gatehouse.http.get('/api/v1/usage').set(by.bearer);

  it('tells what is used and left of both budgets, itself included', async () => {
    const key = await gatehouse.createKey(tenant, { rateLimitPerMinute: 30 });
    await postContact(gatehouse, key, { type: 'other' });
    now = START + 30_000;
    const answer = await usage(key);

    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      data: {
        tenant: {
          limit: 10_000,
          used: 6,
          remaining: 9994,
          resetSeconds: 3570,
          windowSeconds: 3600,
        },
        apiKey: { limit: 30, used: 2, remaining: 28, resetSeconds: 30, windowSeconds: 60 },
      },
      meta: { request_id: expect.stringMatching(/^req_/) },
    });
    expect(answer.headers['ratelimit-tenant-remaining']).toBe('9994');
    expect(answer.headers['ratelimit-key-reset']).toBe('30');
  });

  it('says null where there is no limit, which is not counted then', async () => {
    const key = await gatehouse.createKey(tenant, { rateLimitPerMinute: 0 });
    const { body } = await usage(key);

    expect(body.data.apiKey).toEqual({
      limit: null,
      used: 0,
      remaining: null,
      resetSeconds: 0,
      windowSeconds: 60,
    });
  });

  it('has a share instead of apiKey for tokens', async () => {
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    const client = await registerClient(gatehouse);
    const parameters = { scope: 'audit:read' };
    const { access_token } = await getTokens(gatehouse, { client, user, parameters });
    const { status, body } = await usage({ bearer: { Authorization: `Bearer ${access_token}` } });

    expect(status).toBe(200);
    expect(body.data.apiKey).toBeNull();
    expect(body.data.tenant).toMatchObject({ limit: 10_000, used: 1, remaining: 9999 });
    expect(body.data.share).toEqual({
      limit: 2e3,
      used: 1,
      remaining: 1999,
      resetSeconds: 3600,
      windowSeconds: 3600,
    });

    const personal = await createCredential(gatehouse, tenant, 'personal', ['audit:read']);
    expect((await usage(personal)).body.data).toMatchObject({
      tenant: { used: 2 },
      apiKey: null,
      share: { used: 1 },
    });
  });

  it.each(['service', 'agent', 'organization'] as const)(
    'tells %s keys of theirs',
    async (kind) => {
      const key = await createCredential(gatehouse, tenant, kind, ['audit:read']);

      expect((await usage(key)).body.data.apiKey).toMatchObject({ limit: 60, used: 1 });
    },
  );

  it('is not for publishable keys, nor for a caller who lacks audit:read', async () => {
    const publishable = await createCredential(gatehouse, tenant, 'publishable', ['audit:read']);
    expectProblem(await usage(publishable), 403, 'forbidden');

    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    const answer = await usage(key);
    expectProblem(answer, 403, 'scope_insufficient');
    expect(answer.headers['www-authenticate']).toContain('scope="audit:read"');
  });

  it("tells nothing of another tenant's", async () => {
    const other = await gatehouse.createKey(await gatehouse.createTenant(`other-${tenants}`));
    for (let n = 0; n < 5; n += 1) await usage(other);

    const key = await gatehouse.createKey(tenant);
    expect((await usage(key)).body.data).toMatchObject({
      tenant: { used: 1 },
      apiKey: { used: 1 },
    });
  });
});
