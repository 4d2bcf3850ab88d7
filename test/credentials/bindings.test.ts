import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const SCOPES = ['contacts:read', 'contacts:write', 'contacts:delete'];

describe('an agent that is bound to single things', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let admin: TestKey;
  let bound: TestKey;
  let own: string;
  let other: string;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    admin = await gatehouse.createKey(tenant);
    [own, other] = [await createContact(), await createContact()];
    const bindings = [{ type: 'contacts', id: own }];
    bound = await gatehouse.createKey(tenant, { kind: 'agent', scopes: SCOPES, bindings });
  });

  const createContact = async () => {
    const answer = await gatehouse.http
      .post('/api/v1/contacts')
      .set(admin.bearer)
      .send({ type: 'customer' });
    return String(answer.body.data.id);
  };
  const send = (method: 'get' | 'patch' | 'delete' | 'head', path: string, key = bound) =>
    gatehouse.http[method](`/api/v1/contacts${path}`).set(key.bearer).send();

  it('reads and changes those', async () => {
    await send('get', `/${own}`).expect(200);
    await send('head', `/${own}`).expect(200);
    const answer = await gatehouse.http
      .patch(`/api/v1/contacts/${own}`)
      .set(bound.bearer)
      .send({ firstName: 'Ada' });
    expect(answer.body.data).toMatchObject({ firstName: 'Ada' });
  });

  it('reaches no others of their type, lists none and creates none', async () => {
    for (const answer of [
      await send('get', `/${other}`),
      await send('patch', `/${other}`),
      await send('delete', `/${other}`),
      await send('get', ''),
      await gatehouse.http.post('/api/v1/contacts').set(bound.bearer).send({ type: 'customer' }),
    ]) {
      expectProblem(answer, 403, 'forbidden');
      expect(answer.headers['www-authenticate']).toContain('insufficient_scope');
    }
    await send('get', `/${other}`, admin).expect(200);
  });

  it.each(['0%d', '%d/', '%d%20', '+%d', '%d.0'])('is not led elsewhere by %s', async (form) => {
    const path = `/${form.replace('%d', own)}`;

    expect([403, 404]).toContain((await send('get', path)).status);
  });

  it('still needs the scope', async () => {
    const bindings = [{ type: 'contacts', id: own }];
    const reader = await gatehouse.createKey(tenant, {
      kind: 'agent',
      scopes: ['contacts:read'],
      bindings,
    });

    expectProblem(await send('delete', `/${own}`, reader), 403, 'scope_insufficient');
  });

  it('is distinguished from one without bindings', async () => {
    const free = await gatehouse.createKey(tenant, { kind: 'agent', scopes: SCOPES });

    await send('get', `/${other}`, free).expect(200);
    await send('get', '', free).expect(200);
  });

  it('reaches no resource of another type with the same id', async () => {
    const bindings = [{ type: 'projects', id: own }];
    const elsewhere = await gatehouse.createKey(tenant, {
      kind: 'agent',
      scopes: SCOPES,
      bindings,
    });

    expectProblem(await send('get', `/${own}`, elsewhere), 403, 'forbidden');
  });

  it('is described in introspection', async () => {
    const service = await gatehouse.createKey(tenant, { kind: 'service', scopes: ['introspect'] });
    const answer = await gatehouse.http
      .post('/api/v1/oauth/introspect')
      .set(service.bearer)
      .type('form')
      .send({ token: bound.secret });

    expect(answer.body).toMatchObject({
      active: true,
      bindings: [{ type: 'contacts', id: own }],
      principal: { kind: 'agent', id: bound.id },
      tenant_id: tenant.id,
      environment: 'live',
    });
  });
});
