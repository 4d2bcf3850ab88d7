import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('a transaction that the database rolls back because of another one', () => {
  const gatehouse = useGatehouse();
  let admin: TestKey;
  beforeAll(async () => {
    admin = await gatehouse.createKey(await gatehouse.createTenant('acme'));
    // A sequence counts on when the transaction is undone.
    await gatehouse.database.query(`
      CREATE SEQUENCE conflicts;
      CREATE TABLE planned_conflicts (count int, code text);
      CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE plan planned_conflicts;
        BEGIN
          SELECT * INTO plan FROM planned_conflicts;
          IF nextval('conflicts') <= plan.count THEN
            RAISE EXCEPTION 'planned' USING ERRCODE = plan.code;
          END IF;
          RETURN NULL;
        END $$;
      CREATE TRIGGER conflict AFTER INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION conflict()`);
  });
  beforeEach(() => gatehouse.database.query('DELETE FROM contacts'));

  async function create(conflicts: number, code: string, idempotencyKey?: string) {
    await gatehouse.database.query('ALTER SEQUENCE conflicts RESTART');
    await gatehouse.database.query('DELETE FROM planned_conflicts');
    await gatehouse.database.query('INSERT INTO planned_conflicts VALUES ($1, $2)', [
      conflicts,
      code,
    ]);
    return gatehouse.http
      .post('/api/v1/contacts')
      .set(admin.bearer)
      .set(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey })
      .send({ type: 'customer', firstName: 'Ada' });
  }

  async function countContacts(): Promise<number> {
    const [row] = await gatehouse.database.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM contacts',
    );
    return row?.count ?? 0;
  }

  it.each(['40001', '40P01'])('is repeated up to three times (%s)', async (code) => {
    const answer = await create(3, code, `repeated-${code}`);
    expect(answer.status).toBe(201);
    expect(answer.body.data.firstName).toBe('Ada');
    expect(await countContacts()).toBe(1);
  });

  it('fails after the last attempt without a trace', async () => {
    const answer = await create(4, '40001');
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBeDefined();
    expect(answer.headers['location']).toBeUndefined();
    expect(await countContacts()).toBe(0);
  });

  it('is not repeated after any other error', async () => {
    const answer = await create(1, '22000');
    expect(answer.status).toBe(500);
    expect(await countContacts()).toBe(0);
  });
});
