import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createCli } from '../support/app/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

describe('refusals of revoke and recover', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it.each([
    [['revoke', '--issued-before', '2999-01-01T00:00:00Z'], 1, 'lies ahead'],
    [['revoke', '--issued-before', 'yesterday'], 2, 'must be a time'],
    [['revoke', '--issued-before', '2026-01-01T00:00:00'], 2, 'must be a time'],
    [['revoke', 'tnt_1', '--issued-before', '2026-01-01T00:00:00Z'], 2, 'one of them'],
    [['revoke'], 2, 'one of them'],
    [['recover'], 2, '--since is missing'],
    [['recover', '--since', '2999-01-01T00:00:00Z'], 1, 'lies ahead'],
    [['recover', '--since', '12:00'], 2, 'must be a time'],
  ])('%j', async (words, code, message) => {
    const result = await createCli(database)([...words, '--yes']);

    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
    expect(await database.query('SELECT FROM revocations')).toEqual([]);
  });

  it('asks before it ends anything', async () => {
    for (const words of [
      ['revoke', '--issued-before'],
      ['recover', '--since'],
    ]) {
      const result = await createCli(database)([...words, '2026-01-01T00:00:00Z']);
      expect(result).toMatchObject({ code: 2, stdout: '' });
    }
  });
});
