import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { postContact } from '../support/app/contacts.js';
import { recordStatements } from '../support/database/plans.js';
import { expectProblem } from '../support/app/problems.js';
import { sendRaw } from '../support/app/raw-http.js';
import { confine, createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('X-Bwp-Space', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let key: TestKey;
  let confined: TestKey;
  let first: string;
  let second: string;
  let third: string;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant);
    first = await defaultSpaceOf(gatehouse, tenant);
    second = await createSpace(gatehouse, tenant, 'Two');
    third = await createSpace(gatehouse, tenant, 'Three');
    confined = await gatehouse.createKey(tenant);
    await confine(gatehouse, confined, [second]);
    for (const [firstName, space] of Object.entries({ first, second, third })) {
      const headers = { 'X-Bwp-Space': space };
      const body = { type: 'customer', firstName };
      await postContact(gatehouse, key, body, headers).expect(201);
    }
  });

  const get = (headers: Record<string, string>, by = key) =>
    gatehouse.http.get('/api/v1/contacts').set({ ...by.bearer, ...headers });
  const seen = async (headers: Record<string, string>, by = key): Promise<string[]> => {
    const answer = await get(headers, by).expect(200);
    return answer.body.data.map(({ firstName }: { firstName: string }) => firstName);
  };

  it('names the space of a request, by default the default space', async () => {
    expect(await seen({})).toEqual(['first']);
    expect(await seen({ 'X-Bwp-Space': first })).toEqual(['first']);
    expect(await seen({ 'X-Bwp-Space': second })).toEqual(['second']);
    expect(await seen({ 'x-bwp-space': third })).toEqual(['third']);
  });

  it('admits a restricted credential to its spaces', async () => {
    expect(await seen({ 'X-Bwp-Space': second }, confined)).toEqual(['second']);
  });

  it.each([
    ['another space of the tenant', () => ({ 'X-Bwp-Space': third })],
    ['the default space, named', () => ({ 'X-Bwp-Space': first })],
    ['the default space, not named', () => ({})],
  ])('is 403 for a restricted credential and %s, with a hint', async (_what, headersOf) => {
    const headers: Record<string, string> = headersOf();
    const answers = [
      await get(headers, confined),
      await postContact(gatehouse, confined, { type: 'customer' }, headers),
    ];
    for (const answer of answers) {
      expectProblem(answer, 403, 'forbidden');
      expect(answer.body.detail).toContain('X-Bwp-Space');
    }
  });

  it("is 404 for an unknown space, and for another tenant's", async () => {
    const theirs = await createSpace(gatehouse, await gatehouse.createTenant('other'), 'Theirs');
    for (const space of ['spc_01ARZ3NDEKTSV4RRFFQ69G5FAV', theirs]) {
      for (const by of [key, confined]) {
        expectProblem(await get({ 'X-Bwp-Space': space }, by), 404, 'not_found');
      }
    }
  });

  it.each(['', 'x', 'Two', 'spc_', 'spc_x', 'SPC_01ARZ3NDEKTSV4RRFFQ69G5FAV', "spc_' OR true--"])(
    'is 400 for %j, which is not the id of a space',
    async (space) => {
      expectProblem(await get({ 'X-Bwp-Space': space }), 400, 'bad_request');
    },
  );

  it('is 400 if it is repeated or names two', async () => {
    expectProblem(await get({ 'X-Bwp-Space': `${first}, ${second}` }), 400, 'bad_request');
    const headers = [['X-API-Key', key.secret] as const, ['X-Bwp-Space', first] as const];
    const { status } = await sendRaw(gatehouse.origin, {
      path: '/api/v1/contacts',
      headers: [...headers, ['x-bwp-space', first]],
    });
    expect(status).toBe(400);
    const once = await sendRaw(gatehouse.origin, { path: '/api/v1/contacts', headers });
    expect(once.status).toBe(200);
  });

  it('costs one batched lookup if it names a space; a default space is looked up once', async () => {
    const other = await gatehouse.createKey(await gatehouse.createTenant('looked-up-once'));
    const statements = await recordStatements('', async () => {
      for (let time = 0; time < 2; time += 1) {
        await gatehouse.http.get('/api/v1/contacts').set(other.bearer).expect(200);
      }
      await seen({ 'X-Bwp-Space': second });
    });

    expect(statements.map(({ name }) => name)).toEqual([
      'verify-keys',
      'verify-default_spaces',
      'list-contacts-26',
      'verify-keys',
      'list-contacts-26',
      'verify-keys',
      'verify-spaces',
      'list-contacts-26',
    ]);
  });
});
