import { mkdtemp, rm, writeFile, readFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';

const run = promisify(execFile);

/** Uses the generated client as a developer would; its calls are checked by the compiler first. */
const PROGRAM = `
import { Api } from './client.js';

const [, , baseUrl, key] = process.argv;
const api = new Api({ baseUrl, baseApiParams: { headers: { Authorization: \`Bearer \${key}\` } } });
const created = await api.api.postContacts({ firstName: 'Ann', type: 'customer' });
const id: number = created.data.data.id;
const read = await api.api.getContactsById(String(id));
const name: string | null = read.data.data.firstName;
const scopes = await api.api.getScopes();
const refused = await api.api.getContactsById('999999').catch((answer) => answer);
console.log(JSON.stringify({ name, scopes: scopes.data.data.length, status: refused.status, code: refused.error.code }));
`;

describe('a TypeScript client generated from the OpenAPI document', () => {
  const processes = createServerProcesses();
  let database: TestDatabase;
  let folder: string;
  let server: ServerProcess;
  beforeAll(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-client-'));
    server = await processes.start({ DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEY });
  });
  afterAll(async () => {
    await processes.killAll();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  it('compiles strictly and works', async () => {
    const { text } = await server.send('GET', '/api/v1/openapi.json');
    await writeFile(join(folder, 'openapi.json'), text);
    await run(process.execPath, [
      'node_modules/swagger-typescript-api/dist/cli.mjs',
      'generate',
      '--path',
      join(folder, 'openapi.json'),
      '--output',
      folder,
      '--name',
      'client.ts',
    ]);
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'program.ts'), PROGRAM);
    const strict = [
      '--ignoreConfig',
      '--strict',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--skipLibCheck',
    ];
    await run(process.execPath, [
      join('node_modules/typescript', await binOf('typescript')),
      ...strict,
      '--lib',
      'es2023,dom',
      '--typeRoots',
      join(process.cwd(), 'node_modules/@types'),
      '--types',
      'node',
      join(folder, 'program.ts'),
    ]);

    const { stdout } = await run(process.execPath, [
      join(folder, 'program.js'),
      server.origin,
      keyInGreeting(server),
    ]);

    expect(JSON.parse(stdout)).toEqual({ name: 'Ann', scopes: 46, status: 404, code: 'not_found' });
  });
});

async function binOf(name: string): Promise<string> {
  const { bin } = JSON.parse(await readFile(`node_modules/${name}/package.json`, 'utf8')) as {
    bin: { tsc: string };
  };
  return bin.tsc;
}
