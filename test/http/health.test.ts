import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app.js';

describe('health', () => {
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestApp();
  });
  afterAll(() => gatehouse.close());

  const ready = () => gatehouse.http.get('/readyz');

  it('GET /healthz says that the process answers, also without a database', async () => {
    const alive = { status: 'ok' };
    expect((await gatehouse.http.get('/healthz').expect(200)).body).toEqual(alive);

    await gatehouse.database.lock();
    expect((await gatehouse.http.get('/healthz').expect(200)).body).toEqual(alive);
    await gatehouse.database.unlock();
  });

  describe('GET /readyz', () => {
    it('is 200 when the database is there and current', async () => {
      expect((await ready().expect(200)).body).toEqual({
        status: 'ready',
        checks: { database: 'reachable', migrations: 'current', stopping: false },
      });
    });

    it('is 503 while a migration is missing', async () => {
      const taken = await gatehouse.database.query<{ timestamp: string; name: string }>(
        'DELETE FROM migrations WHERE id = (SELECT max(id) FROM migrations) RETURNING timestamp, name',
      );

      const answer = await ready();

      await gatehouse.database.query('INSERT INTO migrations (timestamp, name) VALUES ($1, $2)', [
        ...[taken[0]?.timestamp, taken[0]?.name],
      ]);
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('1');
      expect(answer.body.checks).toMatchObject({ database: 'reachable', migrations: 'pending' });
      await ready().expect(200);
    });

    it('is 503 while the database cannot be reached, and recovers by itself', async () => {
      await gatehouse.database.lock();

      const answer = await ready();

      await gatehouse.database.unlock();
      expect(answer.status).toBe(503);
      expect(answer.body).toEqual({
        status: 'not ready',
        checks: { database: 'unreachable', migrations: 'unknown', stopping: false },
      });
      await ready().expect(200);
    });
  });
});
