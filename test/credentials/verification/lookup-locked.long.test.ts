import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestApp, type TestApp, type TestKey } from '../../support/app/app.js';
import { expectProblem } from '../../support/app/problems.js';
import { until } from '../../support/app/until.js';

describe('a lookup that waits for a lock in the database', () => {
  let gatehouse: TestApp;
  let key: TestKey;
  let holder: pg.Client;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
    holder = new pg.Client(gatehouse.database.client);
    await holder.connect();
  });
  afterAll(async () => {
    await holder.end();
    await gatehouse.close();
  });

  const me = () => gatehouse.http.get('/api/v1/me').set(key.bearer);

  /** The verifier's statements that PostgreSQL is still busy with. */
  async function waitingStatements(): Promise<number> {
    const [row] = await gatehouse.database.query<{ count: string }>(
      `SELECT count(*) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'gatehouse verifier'
         AND wait_event_type = 'Lock'`,
    );
    return Number(row?.count);
  }

  it('times out on both sides without leaving a query behind', async () => {
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE credentials IN ACCESS EXCLUSIVE MODE');
    // In waves, so that later ones come in while every connection is busy.
    const waves: ReturnType<typeof me>[] = [];
    for (let wave = 1; wave <= 8; wave += 1) {
      waves.push(me());
      // supertest sends when somebody waits for the answer.
      void waves.at(-1)?.then(() => undefined);
      if (wave <= 4) await until(async () => (await waitingStatements()) >= wave);
    }
    const answers = await Promise.all(waves);

    for (const answer of answers) expectProblem(answer, 503, 'service_unavailable');
    await until(async () => (await waitingStatements()) === 0);
    await holder.query('ROLLBACK');
    expect((await me()).status).toBe(200);
  });
});
