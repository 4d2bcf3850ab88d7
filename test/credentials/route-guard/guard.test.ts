import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import { createTenantStore } from '../../../src/tenants/tenant-store.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { type TestKey } from '../../support/app/app.js';
import { createCredential } from '../../support/app/credentials.js';
import { expectProblem } from '../../support/app/problems.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const METADATA = 'https://auth.example.com/.well-known/oauth-protected-resource/api/v1';

describe('the guard', () => {
  const gatehouse = useGatehouse({ ISSUER: 'https://auth.example.com' });
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
  });
  beforeEach(() => gatehouse.database.shiftClock('0'));

  const get = (path: string, key?: TestKey) => {
    const request = gatehouse.http.get(`/api/v1${path}`);
    return key === undefined ? request : request.set(key.bearer);
  };
  /** The parameters of the one challenge (RFC 9110 §11.6.1). */
  const challengeOf = (answer: Response) => {
    const [, scheme, text = ''] =
      /^(\w+) (.*)$/.exec(answer.headers['www-authenticate'] ?? '') ?? [];
    const parameters = [...text.matchAll(/(\w+)="([^"]*)"(?:, |$)/g)];
    expect(parameters.map(([whole]) => whole).join('')).toBe(text);
    return { scheme, ...Object.fromEntries(parameters.map(([, name, value]) => [name, value])) };
  };

  describe('WWW-Authenticate (RFC 6750 §3)', () => {
    const base = { scheme: 'Bearer', realm: 'api', resource_metadata: METADATA };

    it('names the required scope and no error without a credential', async () => {
      const answer = await get('/contacts');

      expectProblem(answer, 401, 'unauthorized');
      expect(challengeOf(answer)).toEqual({ ...base, scope: 'contacts:read' });
    });

    it('names no scope where none is needed', async () => {
      expect(challengeOf(await get('/me'))).toEqual(base);
    });

    it('states invalid_token for a credential that is not valid', async () => {
      const answer = await gatehouse.http.get('/api/v1/contacts').set('X-API-Key', 'garbage');

      expectProblem(answer, 401, 'unauthorized');
      const expected = { ...base, error: 'invalid_token', scope: 'contacts:read' };
      expect(challengeOf(answer)).toEqual(expected);
    });

    it('states insufficient_scope and the required scope for a credential without it', async () => {
      const reader = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      const answer = await gatehouse.http.delete('/api/v1/contacts/1').set(reader.bearer);

      expectProblem(answer, 403, 'scope_insufficient');
      const expected = { ...base, error: 'insufficient_scope', scope: 'contacts:delete' };
      expect(challengeOf(answer)).toEqual(expected);
    });

    it('comes from the issuer, never from Host', async () => {
      const answer = await get('/me').set({ Host: 'evil.example', 'X-Forwarded-Host': 'evil' });

      expect(challengeOf(answer)).toEqual(base);
    });

    it('is absent from answers that are not about the credential', async () => {
      const key = await gatehouse.createKey(tenant);

      for (const path of ['/contacts/999999', '/nowhere', '/contacts?limit=0']) {
        expect((await get(path, key)).headers).not.toHaveProperty('www-authenticate');
      }
    });
  });

  describe('401', () => {
    it('is the answer to a well-formed key that was never issued', async () => {
      const answer = await gatehouse.http
        .get('/api/v1/me')
        .set('X-API-Key', gatehouse.format.mint('live'));

      expectProblem(answer, 401, 'unauthorized');
    });

    it('is token_expired from the expiry of a key on', async () => {
      const key = await gatehouse.createKey(tenant, {
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      });
      await get('/me', key).expect(200);
      await gatehouse.database.shiftClock('59 minutes');
      await get('/me', key).expect(200);

      await gatehouse.database.shiftClock('60 minutes');

      const answer = await get('/me', key);
      expectProblem(answer, 401, 'token_expired');
      expect(challengeOf(answer)).toMatchObject({ error: 'invalid_token' });
    });

    it('is the answer to a revoked key, also after its expiry', async () => {
      const admin = await gatehouse.createKey(tenant);
      const key = await gatehouse.createKey(tenant, {
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      });
      await gatehouse.http.delete(`/api/v1/api-keys/${key.id}`).set(admin.bearer).expect(204);

      expectProblem(await get('/me', key), 401, 'unauthorized');
      await gatehouse.database.shiftClock('2 hours');
      expectProblem(await get('/me', key), 401, 'unauthorized');
    });

    it('comes before anything that is wrong with the request itself', async () => {
      const post = gatehouse.http.post('/api/v1/contacts').set('Idempotency-Key', '');

      expectProblem(await post.type('text/plain').send('x'.repeat(300_000)), 401, 'unauthorized');
      expectProblem(await get('/contacts?limit=nonsense&cursor=x'), 401, 'unauthorized');
    });

    it('comes before 403: an unknown caller does not learn what a route requires', async () => {
      const key = await gatehouse.createKey(tenant, {
        scopes: ['leads:read'],
        expiresAt: new Date(Date.now() + 60_000).toISOString(),
      });
      await gatehouse.database.shiftClock('2 minutes');

      expectProblem(await get('/contacts', key), 401, 'token_expired');
    });
  });

  describe('403', () => {
    it('is tenant_suspended for as long as the tenant is', async () => {
      const other = await gatehouse.createTenant('other');
      const key = await gatehouse.createKey(other);
      const bystander = await gatehouse.createKey(tenant);
      const tenants = createTenantStore(gatehouse.dataSource.manager);

      await tenants.setSuspended(other.id, true);
      const answer = await get('/me', key);
      expectProblem(answer, 403, 'tenant_suspended');
      expect(challengeOf(answer)).toMatchObject({ scheme: 'Bearer', resource_metadata: METADATA });
      await get('/me', bystander).expect(200);

      await tenants.setSuspended(other.id, false);
      await get('/me', key).expect(200);
    });

    it('answers forbidden to a kind of principal that is not admitted, before it looks at scopes', async () => {
      const service = await createCredential(gatehouse, tenant, 'service', ['contacts:read']);

      expectProblem(await get('/api-keys', service), 403, 'forbidden');
    });

    it('is scope_insufficient for a similar scope: none implies another', async () => {
      const writer = await gatehouse.createKey(tenant, {
        scopes: ['contacts:write', 'contacts:delete', 'leads:read', 'api_keys:manage'],
      });

      expectProblem(await get('/contacts', writer), 403, 'scope_insufficient');
    });

    it('comes before anything that is wrong with the request itself', async () => {
      const reader = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
      const post = gatehouse.http.post('/api/v1/contacts').set(reader.bearer);

      expectProblem(await post.type('text/plain').send('{'), 403, 'scope_insufficient');
    });
  });

  describe('503', () => {
    it('is the answer while the database cannot be asked, never 401 and never 200', async () => {
      const key = await gatehouse.createKey(tenant);
      await get('/me', key).expect(200);
      await gatehouse.database.lock();
      try {
        const answers = await Promise.all([
          get('/me', key),
          get('/contacts', key),
          gatehouse.http.get('/api/v1/me').set('X-API-Key', gatehouse.format.mint('live')),
          gatehouse.http.post('/api/v1/contacts').set(key.bearer).send({ type: 'other' }),
        ]);
        for (const answer of answers) {
          expectProblem(answer, 503, 'service_unavailable');
          expect(answer.headers['retry-after']).toBe('1');
          expect(answer.headers).not.toHaveProperty('www-authenticate');
        }
        // Refusals that need no database still work.
        expectProblem(await get('/me'), 401, 'unauthorized');
      } finally {
        await gatehouse.database.unlock();
      }
      await get('/me', key).expect(200);
    });
  });
});
