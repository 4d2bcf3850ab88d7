import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../app/app.js';
import { createCli } from '../app/cli.js';
import { useFixture } from '../app/use-fixture.js';
import { createUser, registerClient, type TestUser } from '../oauth/oauth.js';
import { createServerProcesses, type ServerProcess } from '../process/server-process.js';
import { createInstaller, type Installer } from '../oauth/token-families.js';

/** Two server processes on one database, and somebody who installs an app. */
export interface TwoReplicas {
  readonly gatehouse: TestApp;
  readonly tenant: Tenant;
  readonly a: ServerProcess;
  readonly b: ServerProcess;
  readonly installer: Installer;
  readonly cli: ReturnType<typeof createCli>;
  /** Another user of another app in the same tenant. */
  newInstaller(): Promise<Installer>;
  newUser(): Promise<TestUser>;
  /** The grant that a code or refresh token belongs to. */
  grantOf(secret: string | undefined): Promise<string>;
  close(): Promise<void>;
}

/** How two replicas differ from the usual ones. */
interface Settings {
  /** Scopes that apps ask for, instead of the default. */
  readonly scope?: string;
  /** Configuration of the servers, as environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Two replicas for the tests of a file, or of a `describe`, as `useFixture` opens and closes them. */
export function useTwoReplicas(settings: Settings = {}): TwoReplicas {
  return useFixture(() => startTwoReplicas(settings));
}

async function startTwoReplicas({ scope, env: more }: Settings): Promise<TwoReplicas> {
  const gatehouse = await createTestApp();
  const { database, config, keyring } = gatehouse;
  // Before the servers start, so that neither makes a demo tenant.
  const tenant = await gatehouse.createTenant('first');
  const env = {
    DATABASE_URL: database.url,
    SECRET_KEYS: TEST_SECRET_KEY,
    ISSUER: config.ISSUER,
    ...more,
  };
  const processes = createServerProcesses();
  const [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
  const newUser = () => createUser(gatehouse, [[tenant, 'company_admin']]);
  const newInstaller = async () => {
    // Registering is limited by the minute.
    await database.query('DELETE FROM attempts');
    const client = await registerClient(gatehouse);
    const user = await newUser();
    return createInstaller(gatehouse, { client, user, ...(scope !== undefined && { scope }) });
  };
  return {
    gatehouse,
    tenant,
    a,
    b,
    newUser,
    newInstaller,
    installer: await newInstaller(),
    cli: createCli(database),
    async grantOf(secret = '') {
      const [row] = await database.query<{
        id: string;
      }>(
        `SELECT grant_id AS id FROM refresh_tokens WHERE digest = ANY ($1)
         UNION SELECT grant_id FROM oauth_artifacts WHERE digest = ANY ($1)`,
        [keyring.digests(secret)],
      );
      if (row === undefined) throw new Error('no such code or refresh token');
      return row.id;
    },
    async close() {
      await processes.killAll();
      await gatehouse.close();
    },
  };
}
