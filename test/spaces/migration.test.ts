import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import { createDataSource } from '../../src/db/data-source.js';
import { migrate, migrateDownTo } from '../../src/db/migrate.js';
import { ENTITIES } from '../../src/server/entities.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = createDataSource(database.target, ENTITIES, () => undefined);
  await dataSource.initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});

it('keeps existing spaces: their order, and their unique names', async () => {
  const log = { info: () => undefined, warn: () => undefined };
  await migrateDownTo(dataSource, 'Oauth1763700000000', { log });
  const name = 'X'.repeat(100);
  await database.query(`
    INSERT INTO tenants (id, slug, name) VALUES ('tnt_1', 'one', 'One'), ('tnt_2', 'two', 'Two');
    INSERT INTO spaces (id, tenant_id, name, is_default, created_at) VALUES
      ('spc_00000000000000000000000004', 'tnt_1', '${name}', false, '2026-01-04'),
      ('spc_00000000000000000000000003', 'tnt_1', '${name.toLowerCase()}', false, '2026-01-03'),
      ('spc_00000000000000000000000002', 'tnt_1', 'Default', true, '2026-01-02'),
      ('spc_00000000000000000000000001', 'tnt_1', 'DEFAULT', false, '2026-01-01'),
      ('spc_00000000000000000000000005', 'tnt_2', 'Default', true, '2026-01-05');
  `);

  await migrate(dataSource, { log });
  await database.query(
    `INSERT INTO spaces (id, tenant_id, name, is_default) VALUES ('spc_new', 'tnt_2', 'x', false)`,
  );

  const rows = await database.query(`SELECT name FROM spaces ORDER BY seq`);
  const cut = `${'X'.repeat(69)} spc_00000000000000000000000004`;
  expect(rows.map((row) => row['name'])).toEqual([
    'DEFAULT spc_00000000000000000000000001',
    'Default',
    name.toLowerCase(),
    cut,
    'Default',
    'x',
  ]);
  expect(cut).toHaveLength(100);
});
