import { beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Tested {
  outcome: string;
  reason?: string;
  kind: string;
  principal: { kind: string; id: string };
  scopes: string[];
  routes: { method: string; path: string; scopes: string[]; verdict: string }[];
  observed: { path: string; status: number | null; code?: string; error?: string }[];
}

describe('verify, before a credential is shipped', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let service: TestKey;
  let agent: TestKey;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    const tenant = await gatehouse.createTenant('acme');
    const scopes = ['contacts:read', 'contacts:write'];
    service = await gatehouse.createKey(tenant, { kind: 'service', scopes });
    const bindings = [{ type: 'contacts', id: '7' }];
    agent = await gatehouse.createKey(tenant, { kind: 'agent', scopes, bindings });
  });

  const verify = async ({ secret }: { secret: string }, ...more: string[]) => {
    const { stdout, code } = await cli(['verify', '--json', ...more], secret);
    expect(stdout).not.toContain(secret);
    return { ...(JSON.parse(stdout) as Tested), code };
  };
  const verdicts = ({ routes }: Tested) =>
    Object.fromEntries(routes.map(({ method, path, verdict }) => [`${method} ${path}`, verdict]));

  it('tells the principal, the scopes, and what each declared route says to it', async () => {
    const tested = await verify(service, '--routes');

    expect(tested).toMatchObject({
      outcome: 'accepted',
      kind: 'service',
      principal: { kind: 'service', id: service.id },
      scopes: ['contacts:read', 'contacts:write'],
    });
    expect(verdicts(tested)).toMatchObject({
      'GET /me': 'admitted',
      'GET /contacts': 'admitted',
      'PATCH /contacts/:id': 'admitted',
      'DELETE /contacts/:id': 'scope_insufficient',
      'POST /api-keys': 'principal_not_admitted',
    });
    expect(tested.routes.map(({ method, path }) => `${method} ${path}`)).toEqual(
      gatehouse.app.apiRoutes
        .filter(({ access }) => access !== 'public')
        .map(({ method, path }) => `${method} ${path}`),
    );
  });

  it('tells what an agent is bound to', async () => {
    expect(verdicts(await verify(agent, '--routes'))).toMatchObject({
      'GET /contacts': 'not_bound',
      'POST /contacts': 'not_bound',
      'GET /contacts/:id': 'admitted for 7',
      'DELETE /contacts/:id': 'scope_insufficient',
    });
  });

  it('says of one that is refused why, for each route', async () => {
    const tested = await verify({ secret: gatehouse.format.mint('svc') }, '--routes');

    expect(tested).toMatchObject({ outcome: 'refused', reason: 'unknown', code: 1 });
    expect(new Set(Object.values(verdicts(tested)))).toEqual(new Set(['unknown']));
  });

  it('asks a running server, and observes what it answers', async () => {
    const { observed } = await verify(service, '--against', `${gatehouse.origin}/ignored`);

    expect(observed).toContainEqual({ path: '/api/v1/me', status: 200 });
    expect(observed).toContainEqual({ path: '/api/v1/contacts', status: 200 });
    expect(observed).toContainEqual({ path: '/api/v1/api-keys', status: 403, code: 'forbidden' });
    expect(observed.every(({ path }) => !path.includes(':'))).toBe(true);
  });

  it('says so if nobody answers', async () => {
    const gone = await createTestApp();
    await gone.close();

    const { observed } = await verify(service, '--against', gone.origin);

    expect(observed[0]).toMatchObject({ status: null, error: expect.any(String) });
  });

  it.each(['nonsense', 'file:///etc/passwd', '//evil.example'])(
    'sends a credential to no %s',
    async (against) => {
      expect((await cli(['verify', '--against', against], service.secret)).code).toBe(2);
    },
  );

  it('shows a person a table', async () => {
    const { stdout } = await cli(['verify', '--routes'], service.secret);

    expect(stdout).toMatch(/^method +path +scopes +verdict$/m);
    expect(stdout).toMatch(/^GET +\/contacts +contacts:read +admitted$/m);
  });
});
