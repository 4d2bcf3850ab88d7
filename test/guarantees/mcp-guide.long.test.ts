import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, ITSELF, type TestApp } from '../support/app/app.js';
import { until } from '../support/app/until.js';
import { approve, createUser, type TestUser } from '../support/oauth/oauth.js';
import { resourcesCommand } from '../support/oauth/resource-servers.js';
import { findFreePort } from '../support/process/free-port.js';
import { blocksOf } from '../support/process/guides.js';

const GUIDE = 'docs/guides/mcp-server.md';
const require = createRequire(import.meta.url);
const MCP_REMOTE = require.resolve('mcp-remote/dist/proxy.js');

interface Program {
  readonly child: ChildProcess;
  /** Everything that it wrote. */
  readonly output: () => string;
}

describe('the guide to an MCP server', () => {
  const programs: Program[] = [];
  let gatehouse: TestApp;
  let tenant: Tenant;
  let user: TestUser;
  let folder: string;
  let serverUrl: string;
  let serverId: string;

  beforeAll(async () => {
    gatehouse = await createTestApp({ ISSUER: ITSELF });
    tenant = await gatehouse.createTenant('acme');
    user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    serverUrl = `http://localhost:${await findFreePort()}/mcp`;
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-mcp-'));
    await mkdir(join(folder, 'node_modules/@gatehouse'), { recursive: true });
    const guard = join(folder, 'node_modules/@gatehouse/guard');
    await promisify(execFile)(process.execPath, ['.ci/build-guard.mjs', guard]);
    for (const name of ['express', '@modelcontextprotocol', 'zod']) {
      await symlink(resolve('node_modules', name), join(folder, 'node_modules', name));
    }
    const [command = ''] = await blocks('sh');
    const words = /cli -- resources (.*)\n/.exec(command)?.[1]?.match(/"[^"]*"|\S+/g) ?? [];
    const { json } = await resourcesCommand(
      gatehouse,
      ...words.map((word) => word.replaceAll('"', '')),
    );
    serverId = String(json['id']);
    const [server = '', client = ''] = await blocks('js');
    await writeFile(join(folder, 'server.mjs'), server);
    await writeFile(join(folder, 'client.mjs'), client);
    const { output } = start('server.mjs', { GATEHOUSE_CREDENTIAL: String(json['credential']) });
    await until(() => output().includes('ready'), { what: output() });
  }, 60_000);
  afterAll(async () => {
    for (const { child } of programs) child.kill('SIGKILL');
    await gatehouse.close();
    await rm(folder, { recursive: true, force: true });
  });

  const relocate = (text: string) =>
    text
      .replaceAll('http://localhost:3000', gatehouse.origin)
      .replaceAll('http://localhost:4000', new URL(serverUrl).origin);
  const blocks = async (language: string) => (await blocksOf(GUIDE, language)).map(relocate);

  function start(file: string, env: Record<string, string> = {}): Program {
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [join(folder, file)], {
      cwd: folder,
      env: { PATH, ...env },
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    }
    const program = { child, output: () => text };
    programs.push(program);
    return program;
  }

  /** Signs in and consents as the browser of the user does, which gives the client its answer. @returns the URL, parsed */
  async function signIn(url: string): Promise<URL> {
    const callback = await approve(gatehouse, url, { user });
    // mcp-remote tells the address shortly before it listens.
    await until(() => fetch(callback), { what: 'the client takes the answer' });
    return new URL(url);
  }

  const post = (credential?: string, message: object = { method: 'tools/list' }) =>
    fetch(serverUrl, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        ...(credential !== undefined && { Authorization: `Bearer ${credential}` }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
    });

  it('is discovered by the client of the SDK, which gets a token for this server only', async () => {
    const client = start('client.mjs');
    const [, url = ''] = await until(() => /Sign in: (\S+)/.exec(client.output()) ?? undefined, {
      what: client.output(),
    });
    const { searchParams: asked } = await signIn(url);
    expect(asked.get('resource')).toBe(serverUrl);
    expect(asked.get('scope')?.split(' ')).toContain('documents:read');
    await until(() => client.child.exitCode !== null, { what: client.output() });
    expect(client.output()).toContain('Documents: []');
    expect(client.child.exitCode).toBe(0);
    const rows = await gatehouse.database.query<{ audience: string }>(
      'SELECT DISTINCT audience FROM access_tokens',
    );
    expect(rows).toEqual([{ audience: serverUrl }]);
  }, 30_000);

  it('is reached through mcp-remote', async () => {
    const [block = ''] = await blocks('json');
    const { mcpServers } = JSON.parse(block) as {
      mcpServers: { documents: { command: string; args: string[] } };
    };
    const { command, args } = mcpServers.documents;
    expect([command, args[0]]).toEqual(['npx', 'mcp-remote']);
    const { PATH = '' } = process.env;
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [MCP_REMOTE, ...args.slice(1)],
      // It keeps its tokens in the home directory.
      env: { PATH, HOME: folder },
      stderr: 'pipe',
    });
    let output = '';
    transport.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const client = new Client({ name: 'local-client', version: '1.0.0' });
    const connecting = client.connect(transport);
    const address = /https?:\S+\/oauth\/authorize\?\S+/;
    const [url = ''] = await until(() => address.exec(output) ?? undefined, {
      withinMs: 20_000,
      what: 'mcp-remote asks to sign in',
    });
    expect((await signIn(url)).searchParams.get('resource')).toBe(serverUrl);
    await connecting;
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('list_documents');
    await client.close();
  }, 60_000);

  it('admits keys with its scope, offers tools by scope, and refuses a revoked key at once', async () => {
    const writer = await gatehouse.createKey(tenant, {
      scopes: ['documents:read', 'documents:write'],
    });
    const headers = { ...writer.bearer };
    const transport = new StreamableHTTPClientTransport(new URL(serverUrl), {
      requestInit: { headers },
    });
    const client = new Client({ name: 'with-a-key', version: '1.0.0' });
    await client.connect(transport as Parameters<typeof client.connect>[0]);
    await client.callTool({ name: 'add_document', arguments: { title: 'Plan' } });
    const { content } = await client.callTool({ name: 'list_documents' });
    expect(content).toEqual([{ type: 'text', text: '["Plan"]' }]);

    const reader = await gatehouse.createKey(tenant, { scopes: ['documents:read'] });
    expect(await (await post(reader.secret)).text()).not.toContain('add_document');
    const elsewhere = await gatehouse.createTenant('elsewhere');
    const other = await gatehouse.createKey(elsewhere, { scopes: ['documents:read'] });
    const listing = { method: 'tools/call', params: { name: 'list_documents' } };
    expect(await (await post(reader.secret, listing)).text()).toContain('Plan');
    const apart = await post(other.secret, listing);
    expect(apart.status).toBe(200);
    expect(await apart.text()).not.toContain('Plan');

    await gatehouse.http.delete(`/api/v1/api-keys/${reader.id}`).set(reader.bearer).expect(204);
    expect((await post(reader.secret)).status).toBe(401);
    await client.close();
  }, 30_000);

  it('challenges with its metadata, and refuses other scopes, audiences and methods', async () => {
    const refused = await post();
    expect(refused.status).toBe(401);
    const metadataUrl = serverUrl.replace('/mcp', '/.well-known/oauth-protected-resource/mcp');
    const challenge = refused.headers.get('WWW-Authenticate');
    expect(challenge).toContain(`resource_metadata="${metadataUrl}"`);
    expect(challenge).toContain('scope="documents:read"');
    expect(await (await fetch(metadataUrl)).json()).toMatchObject({
      resource: serverUrl,
      authorization_servers: [gatehouse.origin],
    });
    const narrow = await gatehouse.createKey(tenant, { scopes: ['contacts:read'] });
    expect((await post(narrow.secret)).status).toBe(403);
    expect((await post(gatehouse.format.mint('at'))).status).toBe(401);
    expect((await fetch(serverUrl)).status).toBe(405);
  });

  it('admits nobody after it was removed', async () => {
    const key = await gatehouse.createKey(tenant);
    expect((await post(key.secret)).status).toBe(200);
    expect((await resourcesCommand(gatehouse, 'remove', serverId)).code).toBe(0);
    expect((await post(key.secret)).status).toBe(503);
  });
});
