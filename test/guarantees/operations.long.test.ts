import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { commandsOf } from '../support/app/commands-of.js';
import { getTokens, PASSWORD, registerClient, type TestClient } from '../support/oauth/oauth.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';
import { createSystemPostgres, type SystemPostgres } from '../support/database/system-postgres.js';
import { refresh } from '../support/oauth/token-families.js';
import { until } from '../support/app/until.js';

const EMAIL = 'owner@example.com';
const ISSUER = 'http://localhost:3000';
const SECRET_KEYS = 'a secret key that is only used by tests';
const [PRIMARY, OTHER] = [54321, 54322];

/** Credentials issued before the backup; `later` is revoked, and the refresh token used, after it. */
interface Issued {
  readonly key: string;
  readonly later: { readonly id: string; readonly secret: string };
  readonly client: TestClient;
  readonly access: string;
  readonly refresh: string;
}

let documented: Readonly<Record<string, readonly string[]>>;
let postgres: SystemPostgres;
let issued: Issued;
let server: ServerProcess;
const processes = createServerProcesses();

beforeAll(async () => {
  documented = await commandsOf('docs/operations.md', 'Backups, failover and recovery');
});
beforeEach(async () => {
  postgres = await createSystemPostgres();
  await postgres.start('primary', PRIMARY);
  server = await startServer(PRIMARY);
  issued = await issue(keyInGreeting(server));
}, 60_000);
afterEach(async () => {
  await processes.killAll();
  await postgres.remove();
});

const envOf = (port: number) => ({
  PGPORT: String(port),
  DATABASE_URL: postgres.url(port),
  ADMIN_URL: postgres.url(PRIMARY, 'postgres'),
  RESTORED: `${postgres.folder}/restored`,
  STANDBY: `${postgres.folder}/standby`,
  ARCHIVE: postgres.archive,
});

/** Runs a documented block as it is written. */
async function run(part: string, index: number, port: number, more: Record<string, string> = {}) {
  const block = documented[part]?.[index];
  if (block === undefined) throw new Error(`there is no block ${index} in ${part}`);
  await postgres.run(block, { ...envOf(port), ...more });
}

function startServer(port: number): Promise<ServerProcess> {
  const account = { ADMIN_EMAIL: EMAIL, ADMIN_PASSWORD: PASSWORD };
  return processes.start({ DATABASE_URL: postgres.url(port), SECRET_KEYS, ISSUER, ...account });
}

async function issue(key: string): Promise<Issued> {
  const body = { name: 'Revoked later', scopes: ['contacts:read'] };
  const { data } = (await server.send('POST', '/api/v1/api-keys', { key, body })).json;
  const client = await registerClient(server);
  const tokens = await getTokens(
    { origin: server.origin, config: { ISSUER } },
    {
      client,
      user: { id: '', email: EMAIL },
      parameters: { scope: 'contacts:read offline_access' },
    },
  );
  return {
    key,
    client,
    access: tokens.access_token,
    refresh: tokens.refresh_token ?? '',
    later: {
      id: String(data?.id),
      secret: data?.key ?? '',
    },
  };
}

/** Ends what the backup will have forgotten. */
async function revokeLater(): Promise<void> {
  const { key, later, client } = issued;
  const ended = await server.send('DELETE', `/api/v1/api-keys/${later.id}`, { key });
  expect(ended.status).toBeLessThan(300);
  expect((await refresh(server, client, issued.refresh)).status).toBe(200);
}

/** Runs the documented recovery from the project's folder. */
async function recover(port: number): Promise<{ keysToDecideOn: { id: string }[] }> {
  const block = (documented['Recovering']?.[0] ?? '').replace('--yes', '--yes --json');
  const child = spawn('/bin/sh', ['-ec', block], {
    env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: postgres.url(port), SECRET_KEYS },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [[code], stdout] = await Promise.all([
    once(child, 'exit') as Promise<[number]>,
    text(child.stdout),
  ]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as { keysToDecideOn: { id: string }[] };
}

const me = async (key: string) => (await server.send('GET', '/api/v1/me', { key })).status;

/** Revocations that the backup lacks have no effect until `recover` ran. */
async function expectRecovery(port: number): Promise<void> {
  const { keysToDecideOn } = await recover(port);
  expect(keysToDecideOn.map(({ id }) => id)).toContain(issued.later.id);
  server = await startServer(port);
  expect(await me(issued.access)).toBe(401);
  expect((await refresh(server, issued.client, issued.refresh)).error).toBe('invalid_grant');
  expect(await me(issued.key)).toBe(200);
  // The operator decides: it was revoked, and the database has forgotten that.
  expect(await me(issued.later.secret)).toBe(200);
  const tokens = (await issue(issued.key)).access;
  expect(await me(tokens)).toBe(200);
}

describe('the documented commands', () => {
  it('dump, restore and recover', async () => {
    await run('Dumps', 0, PRIMARY);
    await revokeLater();
    await server.end('SIGTERM');
    await postgres.run(
      `dropdb --username=postgres gatehouse
       createdb --username=postgres --owner=gatehouse gatehouse`,
      envOf(PRIMARY),
    );

    await run('Dumps', 1, PRIMARY);

    await expectRecovery(PRIMARY);
  }, 120_000);

  it('come back at a point in time and recover', async () => {
    await run('Point-in-time recovery', 0, PRIMARY);
    const TARGET = (await postgres.run('date -u "+%Y-%m-%d %H:%M:%S.%6N+00"', {})).trim();
    await revokeLater();
    await server.end('SIGTERM');
    await postgres.run(
      `psql --username=postgres --command="SELECT pg_switch_wal()"
       pg_ctl stop --wait --mode=fast --pgdata=primary`,
      envOf(PRIMARY),
    );

    await run('Point-in-time recovery', 1, OTHER, { TARGET });

    await isWritable(OTHER);
    await expectRecovery(OTHER);
  }, 120_000);

  it('fail over to a standby that lagged and recover', async () => {
    await run('Replication', 0, OTHER);
    await postgres.run('pg_ctl stop --wait --mode=fast --pgdata=standby', envOf(OTHER));
    await revokeLater();
    await server.end('SIGTERM');
    await postgres.run('pg_ctl stop --wait --mode=immediate --pgdata=primary', envOf(PRIMARY));
    await postgres.run('pg_ctl start --wait --pgdata=standby --log=standby/log', envOf(OTHER));

    await run('Replication', 2, OTHER);

    await expectRecovery(OTHER);
  }, 120_000);

  it('fail over to a synchronous standby without loss', async () => {
    await run('Replication', 0, OTHER);
    await run('Replication', 1, PRIMARY);
    await until(
      async () =>
        (
          await postgres.run(
            'psql --username=postgres -Atc "SELECT sync_state FROM pg_stat_replication"',
            envOf(PRIMARY),
          )
        ).trim() === 'sync',
    );
    await revokeLater();
    await postgres.run('pg_ctl stop --wait --mode=immediate --pgdata=primary', envOf(PRIMARY));
    await server.end('SIGTERM');

    await run('Replication', 2, OTHER);

    server = await startServer(OTHER);
    expect(await me(issued.later.secret)).toBe(401);
    expect(await me(issued.key)).toBe(200);
    expect(await me(issued.access)).toBe(200);
  }, 120_000);
});

/** A recovery that promotes itself answers before it can be written to. */
async function isWritable(port: number): Promise<void> {
  await until(
    async () =>
      (
        await postgres.run(
          'psql --username=postgres -Atc "SELECT pg_is_in_recovery()"',
          envOf(port),
        )
      ).trim() === 'f',
  );
}
