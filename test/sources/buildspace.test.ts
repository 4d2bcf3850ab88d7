import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { csrfOf, newBrowser, signIn } from '../support/browser/console.js';
import { createKeyDesk, type KeyDesk, type ShownKey } from '../support/app/key-desk.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { expectProblem } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/*
 * Buildspace's page on machine credentials, from its top to its advice on secrets; the rest is in
 * buildspace-tester.test.ts.
 *
 * Its words and ours: the internal admin surface is the operator's command line (and the API, for a caller who manages
 * keys); its header is `X-Bwp-Api-Token`; applications are contacts; an agent's binding is `bindings`; the admin
 * tester is `verify --routes --against`; a user's token is an access token, and what takes a user's session is
 * `/session` and `/personal-access-tokens`.
 *
 * Deliberately different: an agent that is bound reaches what it is bound to and nothing else of that type; one that
 * is bound to nothing is limited by its scopes only. Sending two credentials at once is refused, so that one is never
 * taken for the other.
 *
 * Not about credentials: its navigation, and the reference that it links to.
 */

type Headers = Readonly<Record<string, string>>;

const SCOPES = ['contacts:read', 'contacts:write'];

describe('Buildspace: machine credentials', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let cli: ReturnType<typeof createCli>;
  let desk: KeyDesk;
  let service: Machine;
  let agent: Machine;
  let own: string;
  let other: string;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    cli = createCli(gatehouse.database);
    desk = createKeyDesk(gatehouse, await gatehouse.createKey(tenant));
    service = await issueByCommand('--name', 'Sync', '--kind', 'service');
    [own, other] = [await createContact(), await createContact()];
    agent = await issueByCommand(
      '--name',
      'Helper',
      '--kind',
      'agent',
      '--bind',
      `contacts:${own}`,
    );
  });

  interface Machine extends TestKey {
    readonly shown: ShownKey;
  }

  const run = async <Result>(words: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await cli([...words, '--json'], input);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return JSON.parse(stdout) as Result;
  };
  const issueByCommand = async (...words: readonly string[]): Promise<Machine> => {
    const command = ['api-keys', 'create', '--tenant', tenant.slug, '--scopes', SCOPES.join(' ')];
    const shown = await run<ShownKey & { key: string }>([...command, ...words]);
    const { id, key: secret } = shown;
    return { id, secret, bearer: { Authorization: `Bearer ${secret}` }, shown };
  };
  const issue = (kind: 'service' | 'agent', scopes: readonly string[], more: object = {}) =>
    desk.issue({ name: `A ${kind}`, kind, scopes, ...more });
  const by = ({ secret }: TestKey) => ({ 'X-Bwp-Api-Token': secret });
  const send = (
    method: 'get' | 'post' | 'patch' | 'delete',
    path: string,
    headers: Headers,
    body?: object,
  ) => gatehouse.http[method](`/api/v1${path}`).set(headers).send(body);
  const me = async (key: TestKey) => (await send('get', '/me', by(key)).expect(200)).body.data;
  const createContact = async () => {
    const answer = await send('post', '/contacts', by(service), { type: 'customer' }).expect(201);
    return String(answer.body.data.id);
  };

  describe('their nature', () => {
    // Sentence 1.
    it('the operator issues them', () => {
      expect(service.shown).toMatchObject({ kind: 'service', createdBy: 'operator' });
      expect(agent.shown).toMatchObject({ kind: 'agent', createdBy: 'operator' });
    });

    // Sentence 2: they open the API for a system, and sign nobody in.
    it('they are for systems, and make no session', async () => {
      const answer = await send('get', '/contacts', by(service)).expect(200);
      expect(answer.headers).not.toHaveProperty('set-cookie');

      const browser = newBrowser(gatehouse);
      await browser.request('/api/v1/me', { headers: by(service) });
      const page = await browser.request('/settings/tokens', { headers: by(service) });
      expect([page.status, browser.cookies.size]).toEqual([303, 0]);
    });
  });

  describe('the recommended header', () => {
    // Sentences 1 and 2, and the first half of 3.
    it('is one of their own, and a bearer is accepted as well', async () => {
      for (const key of [service, agent]) {
        const answers = [await send('get', '/me', by(key)), await send('get', '/me', key.bearer)];
        for (const { status, body } of answers) {
          expect({ status, data: body.data }).toMatchObject({
            status: 200,
            data: { keyId: key.id },
          });
        }
      }
    });

    // Sentence 3: there is no confusion with a user's token, not even if both are sent.
    it("is not confused with a user's token", async () => {
      const user = await createUser(gatehouse, [[tenant, 'member']]);
      const client = await registerClient(gatehouse);
      const { access_token: token } = await getTokens(gatehouse, { client, user });
      const bearer = { Authorization: `Bearer ${token}` };

      const { body } = await send('get', '/me', bearer).expect(200);
      expect(body.data).toMatchObject({ type: 'access_token', userId: user.id });
      expectProblem(await send('get', '/me', { ...bearer, ...by(service) }), 400, 'bad_request');
    });
  });

  describe('services and agents', () => {
    it('a service is an actor of its own, distinct from its tenant', async () => {
      expect(service.secret).toMatch(/^bwp_svc_/);
      expect(await me(service)).toMatchObject({
        type: 'service',
        tenantId: tenant.id,
        principal: {
          kind: 'service',
          id: service.id,
        },
      });
    });

    it('so is an agent, and it is clear that it is one', async () => {
      expect(agent.secret).toMatch(/^bwp_agt_/);
      expect(await me(agent)).toMatchObject({
        type: 'agent',
        tenantId: tenant.id,
        principal: {
          kind: 'agent',
          id: agent.id,
        },
      });
    });

    // The principal model: its headline and both sentences.
    it('neither has access to everything: both have the scopes that they were given', async () => {
      for (const key of [service, agent]) {
        expect((await me(key)).scopes).toEqual(SCOPES);
        const answer = await send('delete', `/contacts/${own}`, by(key));
        expectProblem(answer, 403, 'scope_insufficient');
        expect(answer.headers['www-authenticate']).toContain('scope="contacts:delete"');
      }
    });
  });

  describe('scopes control routes', () => {
    // Its headline and sentence: all routes are asked, and those that lack either the kind or the scope are closed.
    it.each(['service', 'agent'] as const)(
      '%s: opens a route that admits its kind and whose scopes it carries, and no other',
      async (kind) => {
        const reader = await issue(kind, ['leads:read']);
        const opened = [];
        for (const { method, path, access } of gatehouse.app.apiRoutes) {
          const name = method.toLowerCase() as 'get';
          const answer = await send(name, path.replace(':id', '1'), by(reader));
          if (access !== 'public' && answer.status !== 403) opened.push(`${method} ${path}`);
        }
        expect(opened).toEqual(['GET /me']);
      },
    );

    // The first bullet.
    it('read: the list, and a single thing by its id in the path', async () => {
      const reader = await issue('service', ['contacts:read']);

      const list = await send('get', '/contacts', by(reader)).expect(200);
      expect(list.body.data.length).toBeGreaterThanOrEqual(2);
      await send('get', `/contacts/${own}`, by(reader)).expect(200);
      const body = { type: 'customer' };
      expectProblem(await send('post', '/contacts', by(reader), body), 403, 'scope_insufficient');
    });

    // The second bullet.
    it('write: a service without a binding, an agent where it is bound', async () => {
      const change = { firstName: 'Ada' };
      for (const id of [own, other]) {
        await send('patch', `/contacts/${id}`, by(service), change).expect(200);
      }
      await send('patch', `/contacts/${own}`, by(agent), change).expect(200);
      for (const answer of [
        await send('patch', `/contacts/${other}`, by(agent), change),
        await send('get', `/contacts/${other}`, by(agent)),
        await send('post', '/contacts', by(agent), { type: 'customer' }),
      ]) {
        expectProblem(answer, 403, 'forbidden');
      }
    });

    it('write: an agent that is bound to nothing writes the same as a service', async () => {
      const free = await issue('agent', SCOPES);

      const { body } = await send('post', '/contacts', by(free), { type: 'customer' }).expect(201);
      await send('patch', `/contacts/${body.data.id}`, by(free), { phone: '1' }).expect(200);
    });

    // The third bullet.
    it('the routes that manage credentials are not part of it, whatever the scopes', async () => {
      for (const kind of ['service', 'agent'] as const) {
        const managing = by(await issue(kind, ['api_keys:manage', 'spaces:manage']));
        const key = `/api-keys/${service.id}`;
        for (const answer of [
          await send('get', '/api-keys', managing),
          await send('post', '/api-keys', managing, { name: 'x', scopes: ['leads:read'] }),
          await send('get', key, managing),
          await send('patch', key, managing, { name: 'x' }),
          await send('post', `${key}/rotate`, managing, {}),
          await send('delete', key, managing),
          await send('get', '/spaces', managing),
        ]) {
          expectProblem(answer, 403, 'forbidden');
        }
      }
    });

    // The fourth bullet.
    it('the routes for users are opened by who has signed in, not by a machine', async () => {
      const all = by(await issue('service', ['contacts:read', 'users:read', 'api_keys:manage']));
      const token = { name: 'Mine', access: 'read' };
      for (const headers of [all, by(agent)]) {
        for (const answer of [
          await send('get', '/session', headers),
          await send('get', '/personal-access-tokens', headers),
          await send('post', '/personal-access-tokens', headers, token),
        ]) {
          expectProblem(answer, 403, 'forbidden');
        }
      }
      const browser = newBrowser(gatehouse);
      const user = await createUser(gatehouse, [[tenant, 'member']]);
      const csrf = { 'X-CSRF-Token': csrfOf(await signIn(browser, user)) };
      expect((await browser.request('/api/v1/session', { headers: csrf })).status).toBe(200);
    });
  });

  describe('handling the secret', () => {
    // The first bullet.
    it('it is shown once', async () => {
      const { id, secret } = service;

      for (const words of [
        ['api-keys', 'show', id],
        ['api-keys', 'list', '--tenant', tenant.slug],
      ]) {
        const { stdout } = await cli([...words, '--json']);
        expect(stdout).toContain(id);
        expect(stdout).not.toContain(secret);
      }
      expect(JSON.stringify(await desk.show(id))).not.toContain(secret);
    });

    // The second bullet is what follows from that. The third:
    it('a lost one is revoked, and another is created', async () => {
      const lost = await issue('agent', SCOPES);
      await run(['api-keys', 'revoke', lost.id, '--reason', 'lost', '--yes']);
      const another = await issue('agent', SCOPES);

      expectProblem(await send('get', '/contacts', by(lost)), 401, 'unauthorized');
      await send('get', '/contacts', by(another)).expect(200);
    });

    it('a leaked one too, at once, for every holder', async () => {
      const { id, secret, bearer } = await issue('service', SCOPES);
      await desk.revoke(id).expect(204);

      for (const headers of [{ 'X-Bwp-Api-Token': secret }, bearer]) {
        expectProblem(await send('get', '/contacts', headers), 401, 'unauthorized');
      }
    });
  });
});
