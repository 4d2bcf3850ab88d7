import { beforeAll, describe, expect, it } from '@jest/globals';

import { ITSELF, type TestKey } from '../support/app/app.js';
import { callApi, csrfOf, newBrowser, signIn } from '../support/browser/console.js';
import { createUser } from '../support/oauth/oauth.js';
import { createOperatorKey } from '../support/app/operator.js';
import { expectInvalid } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

describe('a query', () => {
  const gatehouse = useGatehouse({ ISSUER: ITSELF });
  let admin: TestKey;
  beforeAll(async () => {
    admin = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  /** Sends a query to every route for credentials; ids are ids of nothing. */
  const everywhere = (query: string) =>
    Promise.all(
      gatehouse.app.apiRoutes.map(async ({ method, path }) => {
        const verb = METHODS.find((name) => name.toUpperCase() === method) ?? 'get';
        const url = `/api/v1${path.replace(':id', '1')}?${query}`;
        return {
          route: `${method} ${path}`,
          answer: await gatehouse.http[verb](url).set(admin.bearer),
        };
      }),
    );

  it.each(['status2=active', 'x=1&x=2', 'limit2', '%00=1', 'a%5B%5D=1', 'Limit=1'])(
    'with an unknown member is refused by every route: %s',
    async (query) => {
      const [name = ''] = [...new URLSearchParams(query).keys()];
      for (const { route, answer } of await everywhere(query)) {
        expect({ route, status: answer.status }).toEqual({ route, status: 422 });
        expectInvalid(answer, [name]);
        expect(answer.body.errors[0].code).toBe('unknown_member');
      }
    },
  );

  it('is refused without a credential as without a query', async () => {
    const answer = await gatehouse.http.get('/api/v1/contacts?nonsense=1');

    expect(answer.status).toBe(401);
  });

  it('suggests the nearest known parameter', async () => {
    const answer = await gatehouse.http.get('/api/v1/api-keys?enviroment=test').set(admin.bearer);

    expectInvalid(answer, ['enviroment']);
    expect(answer.body.errors[0].message).toContain('did you mean environment?');
  });

  it('is refused with a repeated member', async () => {
    for (const query of ['limit=1&limit=1', 'environment=live&environment=test']) {
      const answer = await gatehouse.http.get(`/api/v1/api-keys?${query}`).set(admin.bearer);

      expectInvalid(answer, [query.split('=')[0] ?? '']);
      expect(answer.body.errors[0].code).toBe('repeated_member');
    }
  });

  it('may be empty, and may hold auth_token where publishable keys are admitted', async () => {
    await gatehouse.http.get('/api/v1/me?').set(admin.bearer).expect(200);
    const { id } = await gatehouse.createTenant('other');
    const key = await gatehouse.createKey({ id } as never, {
      kind: 'publishable',
      scopes: ['products:read'],
    });
    for (const path of ['/me', '/products', '/scopes']) {
      await gatehouse.http.get(`/api/v1${path}?auth_token=${key.secret}`).expect(200);
    }
    const answer = await gatehouse.http.get(`/api/v1/me?auth_token=${key.secret}&x=1`);
    expectInvalid(answer, ['x']);
    expect(answer.text).not.toContain(key.secret);
  });

  it('follows the same rules at the routes for browser sessions', async () => {
    const tenant = await gatehouse.createTenant('signed-in');
    const user = await createUser(gatehouse, [[tenant, 'member']]);
    const browser = newBrowser(gatehouse);
    await signIn(browser, user);
    const csrf = csrfOf(await browser.open('/settings/tokens'));
    for (const { method, path } of gatehouse.app.sessionRoutes) {
      const url = `/api/v1${path.replace(':id', 'key_1')}?nonsense=1`;
      const { status, code } = await callApi(browser, method, url, { 'X-CSRF-Token': csrf });

      expect({ method, path, status, code }).toEqual({
        method,
        path,
        status: 422,
        code: 'validation_failed',
      });
    }
  });

  it('is refused with NUL in a value, which the database cannot compare', async () => {
    const { id } = await gatehouse.createTenant('compared');
    const operator = await createOperatorKey(gatehouse);
    const { body } = await gatehouse.http.get('/api/v1/openapi.json').expect(200);
    const asked = parametersIn(body as OpenApi).filter(({ path }) => !path.includes('{'));
    expect(asked.length).toBeGreaterThan(50);
    for (const { path, name } of asked) {
      const value = new URLSearchParams([[name, 'a\0b']]).toString();
      const isOperators = path.startsWith('/api/v1/operator/');
      const tenant = isOperators && name !== 'tenantId' ? `&tenantId=${id}` : '';
      for (const query of tenant === '' ? [value] : [value, value + tenant]) {
        const { bearer } = isOperators ? operator : admin;
        const { status } = await gatehouse.http.get(`${path}?${query}`).set(bearer);
        expect([path, query, status < 500 ? 'refused' : status]).toEqual([path, query, 'refused']);
      }
    }
  });
});

interface OpenApi {
  readonly paths: Readonly<
    Record<
      string,
      { readonly get?: { readonly parameters?: readonly { in: string; name: string }[] } }
    >
  >;
}

/** The parameters of queries of all routes that read. */
function parametersIn({ paths }: OpenApi) {
  return Object.entries(paths).flatMap(([path, { get }]) =>
    (get?.parameters ?? [])
      .filter((parameter) => parameter.in === 'query')
      .map(({ name }) => ({ path, name: name === 'metadata' ? 'metadata[plan]' : name })),
  );
}
