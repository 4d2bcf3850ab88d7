import { beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import { createAccountStore } from '../../src/accounts/account-store.js';
import type { Role } from '../../src/scopes/roles.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { csrfOf, newBrowser, signIn } from '../support/browser/console.js';
import { createCredential } from '../support/app/credentials.js';
import { createUser } from '../support/oauth/oauth.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const SCOPES = ['contacts:read', 'contacts:write', 'contacts:delete', 'api_keys:manage'] as const;

type Token = Awaited<ReturnType<typeof createCredential>>;

describe('a personal access token', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let token: Token;
  beforeEach(async () => {
    tenant = await gatehouse.createTenant(`acme-${randomUUID()}`);
    token = await createCredential(gatehouse, tenant, 'personal', SCOPES);
  });

  const accounts = () => createAccountStore(gatehouse.dataSource.manager);
  const become = (role: Role) => accounts().setRole(tenant.id, token.principalId, role);
  const me = () => gatehouse.http.get('/api/v1/me').set(token.bearer);
  const scopes = async () => (await me()).body.data.scopes as string[];
  const createKey = () =>
    gatehouse.http
      .post('/api/v1/api-keys')
      .set(token.bearer)
      .send({ name: 'Made', scopes: ['contacts:read'] });

  it('speaks for its account, under its own id', async () => {
    expect((await me()).body.data).toMatchObject({
      type: 'personal_access_token',
      keyId: token.id,
      tenantId: tenant.id,
      environment: 'live',
      principal: { kind: 'user', id: token.principalId },
    });
  });

  it('shrinks with the role, on the next request', async () => {
    await createKey().expect(201);
    await become('member');

    expect(await scopes()).toEqual(['contacts:read', 'contacts:write']);
    const removal = gatehouse.http.delete('/api/v1/contacts/1').set(token.bearer);
    expectProblem(await removal, 403, 'scope_insufficient');
    expectProblem(await createKey(), 403, 'scope_insufficient');
    await become('viewer');
    expect(await scopes()).toEqual(['contacts:read']);
  });

  it('does not grow with the role beyond its own scopes', async () => {
    await become('viewer');
    await become('company_admin');

    expect(await scopes()).toEqual(SCOPES);
  });

  it('is cut by the role also where it is introspected', async () => {
    await become('viewer');
    const service = await gatehouse.createKey(tenant, { kind: 'service', scopes: ['introspect'] });

    const answer = await gatehouse.http
      .post('/api/v1/oauth/introspect')
      .set(service.bearer)
      .type('form')
      .send({ token: token.secret });

    expect(answer.body).toMatchObject({ active: true, scope: 'contacts:read', key_id: token.id });
  });

  it('ends with the membership, and joining again does not revive it', async () => {
    const { email } = (await accounts().find(token.principalId)) ?? { email: '' };
    await me().expect(200);

    const words = ['accounts', 'remove', '--email', email, '--tenant', tenant.slug, '--yes'];
    expect(await createCli(gatehouse.database)(words)).toMatchObject({ code: 0 });

    expectProblem(await me(), 401, 'unauthorized');
    await accounts().join(tenant.id, token.principalId, 'company_admin');
    expectProblem(await me(), 401, 'unauthorized');
  });

  it('is refused without a membership, independently of revocations', async () => {
    await accounts().leave(tenant.id, token.principalId);

    expectProblem(await me(), 401, 'unauthorized');
  });

  it('ends with its account and its tenant', async () => {
    const cli = createCli(gatehouse.database);
    const other = await createCredential(gatehouse, tenant, 'personal', ['leads:read']);
    await cli(['revoke', token.principalId, '--yes']);
    expectProblem(await me(), 401, 'unauthorized');
    await gatehouse.http.get('/api/v1/me').set(other.bearer).expect(200);
    await cli(['revoke', tenant.id, '--yes']);

    const answer = await gatehouse.http.get('/api/v1/me').set(other.bearer);
    expectProblem(answer, 401, 'unauthorized');
  });

  it('ends the same way when it was made through the API', async () => {
    const user = await createUser(gatehouse, [[tenant, 'manager']]);
    const browser = newBrowser(gatehouse);
    const csrf = csrfOf(await signIn(browser, user));
    const answer = await browser.request('/api/v1/personal-access-tokens', {
      method: 'POST',
      headers: { 'X-CSRF-Token': csrf, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'CI', access: 'write' }),
    });
    const { data } = (await answer.json()) as { data: { key: string; scopes: string[] } };
    const ask = () => gatehouse.http.get('/api/v1/me').set('X-API-Key', data.key);
    expect(data.scopes).toEqual((await ask().expect(200)).body.data.scopes);

    const words = ['accounts', 'remove', '--email', user.email, '--tenant', tenant.slug, '--yes'];
    await createCli(gatehouse.database)(words);
    await accounts().join(tenant.id, user.id, 'company_admin');

    expectProblem(await ask(), 401, 'unauthorized');
  });
});
