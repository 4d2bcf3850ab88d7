import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import {
  createUser,
  getTokens,
  post,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import {
  expectOAuthError,
  getCodeForm,
  refresh,
  statusOfToken,
} from '../support/oauth/oauth-requests.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

async function read(answer: Response): Promise<TokenResponse> {
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as TokenResponse;
}

describe('a refresh without a grace window', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1', REFRESH_GRACE_SECONDS: '0' });
  let tenant: Tenant;
  let user: TestUser;
  let client: TestClient;
  let slugs = 0;
  beforeAll(async () => {
    client = await registerClient(gatehouse);
  });
  beforeEach(async () => {
    slugs += 1;
    tenant = await gatehouse.createTenant(`tenant-${slugs}`);
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  });

  const start = (scope = 'contacts:read contacts:write offline_access') =>
    getTokens(gatehouse, { client, user, parameters: { scope } });
  const status = (token: string) => statusOfToken(gatehouse, token);
  const accounts = () => createAccountStore(gatehouse.dataSource.manager);
  const suspend = (isSuspended: boolean) =>
    createTenantStore(gatehouse.dataSource.manager).setSuspended(tenant.id, isSuspended);

  describe('200', () => {
    it('rotates the refresh token', async () => {
      const first = await start();
      const answer = await refresh(gatehouse, client, first.refresh_token);
      expect(answer.headers.get('Cache-Control')).toContain('no-store');
      const second = await read(answer);
      expect(second).toEqual({
        ...first,
        access_token: expect.stringMatching(/^bwp_at_/),
        refresh_token: expect.stringMatching(/^bwp_rt_/),
      });
      expect(second.access_token).not.toBe(first.access_token);
      expect(second.refresh_token).not.toBe(first.refresh_token);
      // The earlier access token remains valid until it expires.
      expect(await status(first.access_token)).toBe(200);
      expect((await refresh(gatehouse, client, second.refresh_token)).status).toBe(200);
    });

    it('narrows the scope on request, for that access token only', async () => {
      const first = await start();
      const narrow = { scope: 'contacts:read' };
      const second = await read(await refresh(gatehouse, client, first.refresh_token, narrow));
      expect(second.scope).toBe('contacts:read');
      const third = await read(await refresh(gatehouse, client, second.refresh_token));
      expect(third.scope).toBe('contacts:read contacts:write offline_access');
    });

    it('drops scopes that the role no longer delegates', async () => {
      const first = await start();
      await accounts().setRole(tenant.id, user.id, 'viewer');
      const me = await gatehouse.http
        .get('/api/v1/me')
        .set('Authorization', `Bearer ${first.access_token}`);
      expect(me.body.data).toMatchObject({ role: 'viewer' });
      expect(me.body.data.scopes).not.toContain('contacts:write');

      const second = await read(await refresh(gatehouse, client, first.refresh_token));
      expect(second.scope).toBe('contacts:read offline_access');
    });

    it('needs the granted scope offline_access', async () => {
      expect((await start('contacts:read')).refresh_token).toBeUndefined();
      const unticked = await getTokens(gatehouse, {
        client,
        user,
        scope: ['contacts:read'],
        parameters: { prompt: 'consent' },
      });
      expect(unticked).toMatchObject({ scope: 'contacts:read' });
      expect(unticked.refresh_token).toBeUndefined();
    });
  });

  describe('400', () => {
    it('ends the family when a token is used twice', async () => {
      const first = await start();
      const second = await read(await refresh(gatehouse, client, first.refresh_token));
      const other = await start();

      const reuse = await refresh(gatehouse, client, first.refresh_token);
      await expectOAuthError(reuse, 400, 'invalid_grant');
      expect(await status(first.access_token)).toBe(401);
      expect(await status(second.access_token)).toBe(401);
      const successor = await refresh(gatehouse, client, second.refresh_token);
      await expectOAuthError(successor, 400, 'invalid_grant');
      // Another authorization of the same user and client is another family.
      expect(await status(other.access_token)).toBe(200);
      expect((await refresh(gatehouse, client, other.refresh_token)).status).toBe(200);
    });

    it('leaves a token that another client presents alone', async () => {
      const other = await registerClient(gatehouse);
      const first = await start();
      for (const token of [first.refresh_token, gatehouse.format.mint('rt'), 'garbage', '\0']) {
        await expectOAuthError(await refresh(gatehouse, other, token), 400, 'invalid_grant');
      }
      const second = await read(await refresh(gatehouse, client, first.refresh_token));
      // A used one too: otherwise a finder could end the family.
      const reuse = await refresh(gatehouse, other, first.refresh_token);
      await expectOAuthError(reuse, 400, 'invalid_grant');
      expect(await status(second.access_token)).toBe(200);
    });

    it('answers invalid_scope for scopes that were not granted, and consumes nothing', async () => {
      const first = await start('contacts:read offline_access');
      for (const scope of ['contacts:write', 'contacts:read leads:read']) {
        const answer = await refresh(gatehouse, client, first.refresh_token, { scope });
        await expectOAuthError(answer, 400, 'invalid_scope');
      }
      const elsewhere = { resource: 'https://elsewhere.example' };
      const answer = await refresh(gatehouse, client, first.refresh_token, elsewhere);
      await expectOAuthError(answer, 400, 'invalid_target');
      expect((await refresh(gatehouse, client, first.refresh_token)).status).toBe(200);
    });

    it('lets exactly one of many concurrent requests win', async () => {
      const first = await start();
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => refresh(gatehouse, client, first.refresh_token)),
      );
      const won = answers.filter((answer) => answer.status === 200);
      expect(won).toHaveLength(1);
      for (const lost of answers.filter((answer) => !won.includes(answer))) {
        await expectOAuthError(lost, 400, 'invalid_grant');
      }
    });

    it.each<[string, () => string]>([
      ['the membership', () => `${user.id}@${tenant.id}`],
      ['the account', () => user.id],
      ['the client', () => client.client_id],
      ['the client in the tenant', () => `${client.client_id}@${tenant.id}`],
      ['the tenant', () => tenant.id],
    ])('comes once %s was revoked', async (_name, subject) => {
      const first = await start();
      const form = await getCodeForm(gatehouse, { client, user });
      await gatehouse.dataSource.transaction((manager) =>
        createRevocationStore(manager).revoke(subject(), 'test', null),
      );
      const refreshed = await refresh(gatehouse, client, first.refresh_token);
      await expectOAuthError(refreshed, 400, 'invalid_grant');
      await expectOAuthError(await post(gatehouse, 'token', form), 400, 'invalid_grant');
      expect(await status(first.access_token)).toBe(401);
      // A new authorization works.
      expect(await status((await start()).access_token)).toBe(200);
    });

    it('is the answer once the membership has ended', async () => {
      const first = await start();
      await accounts().leave(tenant.id, user.id);
      const refreshed = await refresh(gatehouse, client, first.refresh_token);
      await expectOAuthError(refreshed, 400, 'invalid_grant');
      expect(await status(first.access_token)).toBe(401);
    });
  });

  describe('503', () => {
    it('is the answer while the tenant is suspended, and consumes nothing', async () => {
      const first = await start();
      const form = await getCodeForm(gatehouse, { client, user });
      await suspend(true);
      const refused = await refresh(gatehouse, client, first.refresh_token);
      await expectOAuthError(refused, 503, 'temporarily_unavailable');
      const code = await post(gatehouse, 'token', form);
      await expectOAuthError(code, 503, 'temporarily_unavailable');
      expect(await status(first.access_token)).toBe(403);
      await suspend(false);
      expect((await refresh(gatehouse, client, first.refresh_token)).status).toBe(200);
      expect((await post(gatehouse, 'token', form)).status).toBe(200);
    });

    it('is the answer while the database is unavailable, and consumes nothing', async () => {
      const first = await start();
      const form = await getCodeForm(gatehouse, { client, user });
      await gatehouse.database.lock();
      const answers = [
        await refresh(gatehouse, client, first.refresh_token),
        await post(gatehouse, 'token', form),
      ];
      await gatehouse.database.unlock();
      for (const answer of answers) {
        expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0);
        await expectOAuthError(answer, 503, 'temporarily_unavailable');
      }
      expect((await refresh(gatehouse, client, first.refresh_token)).status).toBe(200);
      expect((await post(gatehouse, 'token', form)).status).toBe(200);
    });
  });
});
