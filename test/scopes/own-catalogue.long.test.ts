import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createTestDatabase, testServer, type TestDatabase } from '../support/database/database.js';
import { blocksOf } from '../support/process/guides.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';

const GUIDE = 'docs/guides/own-catalogue.md';

interface Document {
  resources: { name: string }[];
  scopes: object[];
  roles: { name: string; delegates?: string[] }[];
}

describe('the guide to an own catalogue', () => {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let folder: string;
  let env: Record<string, string>;
  let document: Document;
  let server: ServerProcess;
  let admin: string;
  let depot: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-catalogue-'));
    const [json = ''] = await blocksOf(GUIDE, 'json');
    document = JSON.parse(json) as Document;
    env = {
      DATABASE_URL: database.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      TOKEN_BRAND: 'acme',
      CATALOG_FILE: await save('catalogue.json', document),
    };
    server = await processes.start(env);
    admin = keyInGreeting(server);
  });
  afterAll(async () => {
    await processes.killAll();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  async function save(name: string, content: object): Promise<string> {
    const file = join(folder, name);
    await writeFile(file, JSON.stringify(content));
    return file;
  }

  const cli = async (words: readonly string[]) => {
    const { PATH = '' } = process.env;
    const argv = [join(testServer().build, 'bundle/cli.js'), ...words, '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, argv, { env: { PATH, ...env } });
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  const get = (path: string, key: string, from = server) => from.send('GET', path, { key });

  it('starts a server whose keys and scopes are those of the company', async () => {
    expect(admin).toMatch(/^acme_live_/);
    const { text } = await server.send('GET', '/api/v1/scopes');
    const { data } = JSON.parse(text) as { data: { name: string }[] };
    expect(data.map(({ name }) => name)).toEqual([
      'parcels:read',
      'parcels:write',
      'parcels:delete',
      'depots:read',
      'depots:write',
      'parcels:dispatch',
      'offline_access',
      'audit:read',
      'api_keys:manage',
      'spaces:manage',
      'introspect',
      'openid',
      'profile',
      'email',
    ]);
    const metadata = await server.send('GET', '/.well-known/oauth-protected-resource');
    expect(metadata.json).toMatchObject({ scopes_supported: ['parcels:read', 'depots:read'] });
  });

  it('has no reference resources', async () => {
    for (const path of ['/api/v1/contacts', '/api/v1/products']) {
      expect((await get(path, admin)).status).toBe(404);
    }
  });

  it('creates a member and a key by the commands as written', async () => {
    const lines = (await blocksOf(GUIDE, 'sh'))[1]?.split('\n') ?? [];
    const calls = lines.filter((line) => line.startsWith('npm run -s cli -- '));
    const results: Record<string, unknown>[] = [];
    for (const call of calls) {
      const words = [...call.slice(18).matchAll(/"([^"]*)"|(\S+)/g)].map(
        ([, quoted, plain]) => quoted ?? plain ?? '',
      );
      results.push(await cli(words));
    }
    depot = String(results[2]?.['key']);
    expect((await get('/api/v1/me', depot)).json).toMatchObject({
      data: { scopes: ['parcels:read', 'parcels:dispatch'] },
    });
  });

  it('lists all faults of a file at once and does not start', async () => {
    const CATALOG_FILE = await save('faulty.json', {
      ...document,
      roles: [
        { name: 'driver', title: 'Driver', sentence: 'Drives.', delegates: ['parcels:raed'] },
      ],
    });

    const refusal = await processes.refuse({ ...env, CATALOG_FILE });

    expect(refusal).toContain(
      `CATALOG_FILE (${CATALOG_FILE}) roles[0].delegates[0]: parcels:raed is not a scope of this catalogue`,
    );
    expect(refusal).toContain('exactly one role administers, not 0');
  });

  it('names beforehand whom a changed file touches, which a restart then does', async () => {
    const file = await save('next.json', {
      resources: document.resources.map((resource) => ({
        ...resource,
        name: resource.name === 'parcels' ? 'shipments' : resource.name,
      })),
      roles: document.roles
        .filter(({ name }) => name !== 'dispatcher')
        .map((role) => ({ ...role, delegates: (role.delegates ?? []).map(() => '*:read') })),
      renamed: { 'parcels:read': 'shipments:read' },
    });

    const { touched } = await cli(['catalog', 'check', file]);
    const next = await processes.start({ ...env, CATALOG_FILE: file });

    expect(touched).toContainEqual(
      expect.objectContaining({ name: 'dispatcher', held: 'members', count: 1 }),
    );
    expect(touched).toContainEqual(
      expect.objectContaining({ name: 'parcels:dispatch', held: 'keys', count: 2 }),
    );
    expect(touched).not.toContainEqual(expect.objectContaining({ name: 'parcels:read' }));
    expect((await get('/api/v1/me', depot, next)).json).toMatchObject({
      data: { scopes: ['shipments:read'] },
    });
    expect((await get('/api/v1/me', depot)).json).toMatchObject({
      data: { scopes: ['parcels:read', 'parcels:dispatch'] },
    });
  });
});
