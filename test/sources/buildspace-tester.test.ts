import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { createForeignPage } from '../support/browser/foreign-page.js';
import { createKeyDesk, type KeyDesk } from '../support/app/key-desk.js';
import { expectProblem } from '../support/app/problems.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * Buildspace's page on machine credentials, from its example request to its end; what comes before is in
 * buildspace.test.ts.
 *
 * The admin tester is `verify --routes --against` on the operator's command line. What it calls declared coverage is
 * `routes`, its smoke test is `observed`.
 *
 * Not about credentials: the reference that it links to.
 */

const LISTED = 'https://console.example.com';
const SCOPES = ['contacts:read', 'contacts:write'];

describe('Buildspace: machine credentials in use', () => {
  const gatehouse = useGatehouse({ CORS_ALLOWED_ORIGINS: LISTED });
  let tenant: Tenant;
  let cli: ReturnType<typeof createCli>;
  let desk: KeyDesk;
  let service: TestKey;
  let own: string;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    tenant = await gatehouse.createTenant('acme');
    desk = createKeyDesk(gatehouse, await gatehouse.createKey(tenant));
    service = await issue('service');
    [own] = [await createContact(), await createContact()];
  });

  const issue = (kind: 'service' | 'agent', more: object = {}) =>
    desk.issue({ name: `A ${kind}`, kind, scopes: SCOPES, ...more });
  const by = ({ secret }: TestKey) => ({ 'X-Bwp-Api-Token': secret });
  const list = (key: TestKey) => gatehouse.http.get('/api/v1/contacts').set(by(key));
  const createContact = async () => {
    const contacts = gatehouse.http.post('/api/v1/contacts').set(by(service));
    return String((await contacts.send({ type: 'customer' }).expect(201)).body.data.id);
  };

  describe('the example request', () => {
    it('lists one thing, with nothing but the header', async () => {
      const answer = await fetch(`${gatehouse.origin}/api/v1/contacts?limit=1`, {
        headers: by(service),
      });

      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        data: [{ id: expect.any(Number) }],
        meta: { pagination: { count: 1, has_more: true } },
      });
    });
  });

  describe('validating a credential', () => {
    interface Tested {
      outcome: string;
      principal: { kind: string; id: string };
      scopes: readonly string[];
      routes: { method: string; path: string; verdict: string }[];
      observed: { path: string; status: number; code?: string }[];
    }
    const test = async ({ secret }: TestKey) => {
      const words = ['verify', '--routes', '--against', gatehouse.origin, '--json'];
      const { code, stdout } = await cli(words, secret);
      return { code, ...(JSON.parse(stdout) as Tested) };
    };
    const coverage = ({ routes }: Tested) =>
      Object.fromEntries(routes.map(({ method, path, verdict }) => [`${method} ${path}`, verdict]));

    // Sentences 1 and 2, and each of the four bullets.
    it('tells the principal, its scopes, the routes it covers, and what a server answered', async () => {
      const tested = await test(service);

      expect(tested).toMatchObject({
        outcome: 'accepted',
        principal: { kind: 'service', id: service.id },
        scopes: SCOPES,
      });
      expect(coverage(tested)).toMatchObject({
        'GET /me': 'admitted',
        'GET /contacts': 'admitted',
        'PATCH /contacts/:id': 'admitted',
        'DELETE /contacts/:id': 'scope_insufficient',
        'GET /api-keys': 'principal_not_admitted',
      });
      expect(tested.observed).toEqual(
        expect.arrayContaining([
          { path: '/api/v1/me', status: 200 },
          { path: '/api/v1/contacts', status: 200 },
          { path: '/api/v1/products', status: 403, code: 'scope_insufficient' },
          { path: '/api/v1/api-keys', status: 403, code: 'forbidden' },
        ]),
      );
    });

    it('tells an agent from a service, and what it is bound to', async () => {
      const agent = await issue('agent', { bindings: [{ type: 'contacts', id: own }] });
      const tested = await test(agent);

      expect(tested.principal).toEqual({ kind: 'agent', id: agent.id });
      expect(coverage(tested)).toMatchObject({
        'GET /contacts': 'not_bound',
        'PATCH /contacts/:id': `admitted for ${own}`,
      });
      expect(tested.observed).toContainEqual({
        path: '/api/v1/contacts',
        status: 403,
        code: 'forbidden',
      });
    });

    it('tries an agent on what it is bound to, and whatever is confined to spaces in one of them', async () => {
      const space = await createSpace(gatehouse, tenant, 'Second site');
      const bindings = [{ type: 'contacts', id: own }];

      const bound = await test(await issue('agent', { bindings }));
      expect(bound.observed).toContainEqual({ path: `/api/v1/contacts/${own}`, status: 200 });
      const confined = await test(await issue('service', { spaces: [space] }));
      expect(confined.observed).toContainEqual({ path: '/api/v1/contacts', status: 200 });
    });

    it('tells before it is shipped that one will not do', async () => {
      const revoked = await issue('service');
      await desk.revoke(revoked.id).expect(204);

      const tested = await test(revoked);
      expect(tested).toMatchObject({ code: 1, outcome: 'refused', reason: 'revoked' });
      expect(new Set(tested.observed.map(({ status }) => status))).toEqual(new Set([401]));
    });
  });

  describe('runtime patterns', () => {
    // The first two bullets: where either runs is told to it by addresses.
    it('a service runs in a backend, an agent wherever it may: both from where they were allowed', async () => {
      for (const kind of ['service', 'agent'] as const) {
        const here = await issue(kind, { allowedIps: ['127.0.0.1', '::1'] });
        const elsewhere = await issue(kind, { allowedIps: ['203.0.113.0/24'] });

        await list(here).expect(200);
        expectProblem(await list(elsewhere), 401, 'unauthorized');
      }
    });

    // The third bullet.
    it('a page in a browser uses one only from a listed origin', async () => {
      const body = { type: 'customer' };
      const origins = [
        'https://evil.example',
        `${LISTED}.evil.example`,
        'http://console.example.com',
      ];
      for (const key of [service, await issue('agent')]) {
        const page = createForeignPage(gatehouse, LISTED);
        const read = await page.fetch('/api/v1/contacts', { headers: by(key) });
        expect(read?.status).toBe(200);
        const post = { method: 'POST', headers: by(key), body } as const;
        expect((await page.fetch('/api/v1/contacts', post))?.status).toBe(201);

        for (const origin of origins) {
          const stranger = createForeignPage(gatehouse, origin);
          expect(await stranger.fetch('/api/v1/contacts', { headers: by(key) })).toBeUndefined();
          expect(await stranger.fetch('/api/v1/contacts', post)).toBeUndefined();
        }
      }
    });
  });
});
