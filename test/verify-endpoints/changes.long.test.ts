import { describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { openStream } from '../support/app/change-stream.js';
import { addResourceServer } from '../support/oauth/resource-servers.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const CONNECTIONS = 50;
const EACH = 2000;

describe('the feed of changes', () => {
  const gatehouse = useGatehouse();

  it(`has each of ${CONNECTIONS * EACH} changes once that commit out of order beside a long transaction`, async () => {
    const files = await addResourceServer(gatehouse, 'https://files.example.com');
    const stream = await openStream(gatehouse.origin, files.bearer);
    await stream.caughtUp();
    const pool = new pg.Pool({ connectionString: gatehouse.database.url, max: CONNECTIONS + 1 });
    // The database is dropped before the last connection is gone.
    pool.on('error', () => undefined);
    const long = await pool.connect();
    await long.query('BEGIN');
    const insert = 'INSERT INTO revocations (subject, seq, revoked_by) VALUES ($1, 0, $2)';
    await long.query(insert, ['key_LONG', '']);
    const writers = Array.from({ length: CONNECTIONS }, async (_, writer) => {
      const connection = await pool.connect();
      // Transactions of different lengths: they commit in another order than they began.
      for (let first = 0; first < EACH; first += 20) {
        await connection.query('BEGIN');
        for (let index = first; index < first + 20; index += 1) {
          await connection.query(insert, [`key_${writer}_${index}`, '']);
        }
        await connection.query('SELECT pg_sleep(random() * 0.05)');
        await connection.query('COMMIT');
      }
      connection.release();
    });
    await Promise.all(writers);
    await long.query('COMMIT');
    long.release();
    await stream.caughtUp();
    stream.close();
    await pool.end();

    const subjects = stream.subjects();
    expect(subjects.length).toBe(CONNECTIONS * EACH + 1);
    expect(new Set(subjects).size).toBe(CONNECTIONS * EACH + 1);
    expect(stream.events.some(({ name }) => name === 'reset')).toBe(false);
  }, 240_000);
});
