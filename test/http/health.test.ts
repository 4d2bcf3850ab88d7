import { describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('health', () => {
  const gatehouse = useGatehouse();

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
        checks: {
          database: 'reachable',
          migrations: 'current',
          stopping: false,
          verification: 'possible',
          writing: 'possible',
        },
      });
    });

    it('is 503 while a migration is missing', async () => {
      const taken = await gatehouse.database.query<{ timestamp: string; name: string }>(
        'DELETE FROM migrations WHERE id = (SELECT max(id) FROM migrations) RETURNING timestamp, name',
      );

      const answer = await ready();

      await gatehouse.database.query('INSERT INTO migrations (timestamp, name) VALUES ($1, $2)', [
        taken[0]?.timestamp,
        taken[0]?.name,
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
        checks: {
          database: 'unreachable',
          migrations: 'unknown',
          stopping: false,
          verification: 'impossible',
          writing: 'impossible',
        },
      });
      await ready().expect(200);
    });

    it('is 503 within about a second while no verification can be answered, and 200 after that', async () => {
      const release = await lockTable('credentials');
      const started = performance.now();
      const answer = await ready();
      const took = performance.now() - started;
      // Verification itself would be 503.
      expect(took).toBeLessThan(1500);
      expect(answer.status).toBe(503);
      expect(answer.body.checks).toMatchObject({
        database: 'reachable',
        migrations: 'current',
        verification: 'impossible',
        writing: 'possible',
      });
      await release();
      await until(async () => (await ready()).status === 200);
    });

    it('probes once for concurrent requests, also while the database hangs', async () => {
      const release = await lockTable('credentials');
      const answers = await Promise.all(Array.from({ length: 60 }, () => ready()));
      const waiting = await gatehouse.database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      // Nor does it begin again before that one has ended.
      const again = await ready();
      await release();
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      expect(again.status).toBe(503);
      expect(waiting).toHaveLength(1);
      await until(async () => (await ready()).status === 200);
    });

    it('is 503 while the database takes no writes, though it answers', async () => {
      const { database } = gatehouse;
      const { database: name } = database.target;
      await database.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
      // Sessions that are open keep what they have.
      await database.lock();
      await database.unlock();
      const answer = await ready();
      await database.query(
        `BEGIN READ WRITE; ALTER DATABASE ${name} RESET default_transaction_read_only; COMMIT`,
      );
      await database.lock();
      await database.unlock();
      expect(answer.status).toBe(503);
      expect(answer.body.checks).toMatchObject({ writing: 'impossible' });
      await until(async () => (await ready()).status === 200);
    });
  });

  /** Locks a table against everything until the returned function is called. */
  async function lockTable(table: string): Promise<() => Promise<void>> {
    const client = new pg.Client(gatehouse.database.target);
    await client.connect();
    await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    return () => client.end();
  }
});
