import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { DOCUMENT } from '../../src/scopes/catalog.js';
import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { createUser, getTokens, registerClient } from '../support/oauth/oauth.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';

/** Without a scope, of which a key has others, and without a role that delegates the same. */
const SMALLER = {
  ...DOCUMENT,
  resources: DOCUMENT.resources.map((resource) =>
    resource.name === 'contacts' ? { ...resource, actions: ['read', 'delete'] } : resource,
  ),
  roles: DOCUMENT.roles.filter(({ name }) => name !== 'viewer'),
};

describe('a scope and a role that leave the catalogue, on two replicas', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let folder: string;
  let env: Record<string, string>;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    folder = await mkdtemp(join(tmpdir(), 'catalogue-'));
    const { database, config } = gatehouse;
    env = { DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEY, ISSUER: config.ISSUER };
  });
  afterAll(async () => {
    await processes.killAll();
    await gatehouse.close();
    await rm(folder, { recursive: true });
  });

  it('lose their effect on the next request of each replica that was restarted', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read', 'contacts:write'] });
    const user = await createUser(gatehouse, [[tenant, 'viewer']]);
    const client = await registerClient(gatehouse);
    const parameters = { scope: 'contacts:read' };
    const { access_token: token } = await getTokens(gatehouse, { client, user, parameters });
    const contact = { firstName: 'Ann', type: 'customer' };
    const look = async (server: ServerProcess) => {
      const by = (options: { key: string; body?: object }) => ({
        write: () => server.send('POST', '/api/v1/contacts', options),
        read: () => server.send('GET', '/api/v1/contacts', options),
      });
      const [written, read, delegated] = [
        await by({ key: key.secret, body: contact }).write(),
        await by({ key: key.secret }).read(),
        await by({ key: token }).read(),
      ];
      const { text } = await server.send('GET', '/api/v1/me', { key: key.secret });
      const { scopes } = (JSON.parse(text) as { data: { scopes: string[] } }).data;
      const codes = [written, read, delegated].map(({ status, json }) => json.code ?? status);
      return [...codes, scopes];
    };
    const before = [201, 200, 200, ['contacts:read', 'contacts:write']];
    // The reference resource has no route for an action that the catalogue lacks.
    const after = ['method_not_allowed', 200, 'scope_insufficient', ['contacts:read']];
    const [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
    expect([await look(a), await look(b)]).toEqual([before, before]);

    const file = join(folder, 'smaller.json');
    await writeFile(file, JSON.stringify(SMALLER));
    const { stdout } = await createCli(gatehouse.database)(['catalog', 'check', file, '--json']);
    const { touched } = JSON.parse(stdout) as { touched: { name: string; examples: string[] }[] };
    expect(touched).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'contacts:write', count: 1, examples: [key.id] }),
        expect.objectContaining({ name: 'viewer', count: 1 }),
      ]),
    );

    await a.end('SIGTERM');
    const newA = await processes.start({ ...env, CATALOG_FILE: file });
    expect([await look(newA), await look(b)]).toEqual([after, before]);

    await b.end('SIGTERM');
    const newB = await processes.start({ ...env, CATALOG_FILE: file });
    expect([await look(newA), await look(newB)]).toEqual([after, after]);

    // The scope and the role stay stored: the former catalogue gives them back.
    await newA.end('SIGTERM');
    expect(await look(await processes.start(env))).toEqual(before);
  });
});
