import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import type { Answer } from '../support/app/http-client.js';
import { createOwnDatabase, postgresProcessesOf } from '../support/database/postgres-processes.js';
import {
  createServerProcesses,
  keyInGreeting,
  type ServerProcess,
} from '../support/process/server-process.js';
import {
  startTemporaryPostgres,
  type TemporaryPostgres,
} from '../support/database/temporary-postgres.js';
import { until } from '../support/app/until.js';

const FREEZES = 2;
const WORKERS = 20;
const ANSWERS_WITHIN_MS = 25_000;
const RECOVERS_WITHIN_MS = 2000;

describe('a server whose database hangs in the middle of requests', () => {
  const processes = createServerProcesses();
  let postgres: TemporaryPostgres;
  let url: string;
  let server: ServerProcess;
  beforeAll(async () => {
    postgres = await startTemporaryPostgres();
    url = await createOwnDatabase(postgres);
    server = await processes.start({ DATABASE_URL: url, SECRET_KEYS: TEST_SECRET_KEY });
  }, 30_000);
  afterAll(async () => {
    await processes.killAll();
    await postgres.stop();
  });

  function createContact(): Promise<Answer> {
    return server.send('POST', '/api/v1/contacts', {
      key: keyInGreeting(server),
      body: { type: 'customer' },
      idempotencyKey: randomUUID(),
    });
  }

  it('answers each with 503 in bounded time, recovers, and leaves nothing half done', async () => {
    const database = postgresProcessesOf(postgres.directory);
    let isDone = 0;
    for (let freeze = 0; freeze < FREEZES; freeze++) {
      let isFrozen = false;
      const lastAnswers: Answer[] = [];
      const work = async () => {
        while (!isFrozen) {
          lastAnswers.push(await createContact());
          isDone += 1;
        }
      };
      const load = Promise.all(Array.from({ length: WORKERS }, work));
      const enough = isDone + WORKERS * 3;
      await until(() => isDone >= enough);
      await database.freeze();
      isFrozen = true;
      const frozenAt = performance.now();
      try {
        await load;
      } finally {
        await database.thaw();
      }
      expect(performance.now() - frozenAt).toBeLessThan(ANSWERS_WITHIN_MS);
      expect(new Set(lastAnswers.map(({ status }) => status))).toEqual(new Set([201, 503]));
      const back = performance.now();
      await until(async () => (await createContact()).status === 201);
      expect(performance.now() - back).toBeLessThan(RECOVERS_WITHIN_MS);
    }
    // Each contact with the answer that was remembered along with it, and the other way round.
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query(`SELECT
      (SELECT count(*) FROM contacts) - (SELECT count(*) FROM idempotency_records) AS excess`);
    await client.end();
    expect(rows).toEqual([{ excess: '0' }]);
  }, 120_000);
});
