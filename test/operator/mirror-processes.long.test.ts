import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp, type TestKey } from '../support/app/app.js';
import { createOperatorKey } from '../support/app/operator.js';
import {
  startPostingProcesses,
  type PostingProcesses,
} from '../support/process/posting-processes.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';

const PROCESSES = 20;
const ROUNDS = 25;

describe(`PUT by external id, by ${PROCESSES} processes at two replicas`, () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let operator: TestKey;
  let servers: readonly ServerProcess[];
  let clients: PostingProcesses;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    await gatehouse.createTenant('first');
    operator = await createOperatorKey(gatehouse);
    const env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    servers = await Promise.all([processes.start(env), processes.start(env)]);
    clients = await startPostingProcesses(PROCESSES);
  }, 60_000);
  afterAll(async () => {
    await clients.end();
    await processes.killAll();
    await gatehouse.close();
  });

  it.each([
    ['tenants', (id: string) => ({ name: `Tenant ${id}` })],
    ['accounts', (id: string) => ({ email: `${id}@acme.example` })],
  ] as const)(`makes one row in %s, ${ROUNDS} times out of ${ROUNDS}`, async (table, bodyOf) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const externalId = `crm-${round}`;
      const path = `/api/v1/operator/${table}/by-external-id/${externalId}`;
      const answers = await clients.send(
        servers.map(({ origin }) => origin + path),
        {
          method: 'PUT',
          headers: { ...operator.bearer, 'Content-Type': 'application/json' },
          body: JSON.stringify(bodyOf(externalId)),
        },
      );

      const statuses = answers.map(({ status }) => status).toSorted();
      expect(statuses).toEqual([...Array.from({ length: PROCESSES - 1 }, () => 200), 201]);
      const rows = await gatehouse.dataSource.query<{ id: string }[]>(
        `SELECT id FROM ${table} WHERE external_id = $1`,
        [externalId],
      );
      expect(rows).toHaveLength(1);
      const ids = answers.map(({ body }) => (JSON.parse(body) as { data: { id: string } }).data.id);
      expect(new Set(ids)).toEqual(new Set([rows[0]?.id]));
      const entries = await gatehouse.dataSource.query<{ action: string }[]>(
        'SELECT action FROM audit_log WHERE subject = $1',
        [rows[0]?.id],
      );
      expect(entries.map(({ action }) => action)).toEqual([`${table.slice(0, -1)}.create`]);
    }
  });
});
