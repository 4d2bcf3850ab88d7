import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { createCliWith } from '../support/app/cli.js';
import { inParallel } from '../support/app/parallel.js';
import { until } from '../support/app/until.js';
import { createReceiver } from '../support/app/webhook-receiver.js';
import { startPgBouncer, type PgBouncer } from '../support/database/pgbouncer.js';
import { createOwnDatabase } from '../support/database/postgres-processes.js';
import { createServerProcesses, keyInGreeting } from '../support/process/server-process.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';

describe('a server that reaches its database through PgBouncer', () => {
  const processes = createServerProcesses();
  let postgres: TemporaryPostgres;
  let url: string;
  let bouncer: PgBouncer | undefined;
  beforeAll(async () => {
    postgres = await startTemporaryPostgres();
    url = await createOwnDatabase(postgres);
  }, 30_000);
  afterEach(async () => {
    await processes.killAll();
    await bouncer?.stop();
  });
  afterAll(() => postgres.stop());

  it.each(['transaction', 'statement'] as const)(
    'does not start in %s mode',
    async (mode) => {
      bouncer = await startPgBouncer(postgres, url, mode);
      const env = { DATABASE_URL: bouncer.url, SECRET_KEYS: TEST_SECRET_KEY };
      expect(await processes.refuse(env)).toMatch(
        /^DATABASE_URL leads through a pooler in transaction mode, [^\n]+ \(pool_mode = session\)[^\n]+\.\n$/,
      );
    },
    30_000,
  );

  it('works in session mode', async () => {
    bouncer = await startPgBouncer(postgres, url, 'session');
    const env = { DATABASE_URL: bouncer.url, SECRET_KEYS: TEST_SECRET_KEY };
    const server = await processes.start(env);
    const key = keyInGreeting(server);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        server.send('POST', '/api/v1/contacts', { key, body: { type: 'customer' } }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect((await server.send('GET', '/readyz')).status).toBe(200);
  }, 60_000);

  it('sends webhooks in session mode', async () => {
    bouncer = await startPgBouncer(postgres, url, 'session');
    const env = {
      DATABASE_URL: bouncer.url,
      SECRET_KEYS: TEST_SECRET_KEY,
      OUTBOUND_ALLOW_LOOPBACK: 'true',
    };
    const receiver = await createReceiver();
    try {
      await processes.start(env);
      await processes.start(env);
      const cli = createCliWith(env);
      const made = await cli(['webhooks', 'create', receiver.url(), '--types', 'space.*']);
      expect(made.code).toBe(0);
      const { code, stderr } = await cli(['tenants', 'create', 'Pooled', '--slug', 'pooled']);
      expect([code, stderr]).toEqual([0, '']);
      const EVENTS = 200;
      await inParallel(EVENTS, 4, async (number) => {
        const created = await cli(['spaces', 'create', `Space ${number}`, '--tenant', 'pooled']);
        expect(created.stderr).toBe('');
      });
      const ids = () => new Set(receiver.received.map(({ event }) => event.id)).size;
      await until(() => ids() >= EVENTS, { withinMs: 60_000 });
    } finally {
      receiver.close();
    }
  }, 120_000);
});
