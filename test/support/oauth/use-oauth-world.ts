import type { Role } from '../../../src/scopes/roles.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTestApp, type TestApp } from '../app/app.js';
import { useFixture } from '../app/use-fixture.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from './oauth.js';

/** The application with one tenant, a user who can sign in, and a client that the user has not consented to yet. */
export interface OAuthWorld extends TestApp {
  readonly tenant: Tenant;
  readonly user: TestUser;
  readonly client: TestClient;
  newBrowser(): Browser;
  /** The URL of an authorization request of the client, with other parameters. */
  urlFor(parameters?: Readonly<Record<string, string>>): string;
}

/** How a world differs from the usual one. */
interface Settings {
  /** As for `createTestApp`. By default it believes a proxy on loopback, so that no limit of an address is near. */
  readonly env?: Record<string, string>;
  /** The user's role, by default the administrator's. */
  readonly role?: Role;
  /** The client's metadata, beside its name and redirect URI. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** An OAuth world for the tests of a file, or of a `describe`, as `useFixture` opens and closes it. */
export function useOAuthWorld({
  env = { TRUST_PROXY: '127.0.0.1' },
  role = 'company_admin',
  metadata = {},
}: Settings = {}): OAuthWorld {
  return useFixture(async () => {
    const gatehouse = await createTestApp(env);
    const tenant = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[tenant, role]]);
    const client = await registerClient(gatehouse, metadata);
    const { ISSUER: issuer } = gatehouse.config;
    return {
      ...gatehouse,
      tenant,
      user,
      client,
      newBrowser: () => createBrowser({ origin: gatehouse.origin, issuer }),
      urlFor: (parameters = {}) =>
        authorizeUrl(issuer, {
          client_id: client.client_id,
          code_challenge: createPkce().challenge,
          ...parameters,
        }),
    };
  });
}
