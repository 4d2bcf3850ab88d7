import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import { createDataSource } from '../../src/db/data-source.js';
import { migrate, migrateDownTo } from '../../src/db/migrate.js';
import { readSchemaState } from '../../src/db/schema-state.js';
import { ENTITIES } from '../../src/server/entities.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

/** Everything that a migration makes, as PostgreSQL describes it. */
const SCHEMA = `
  SELECT 'column' AS kind, table_name || '.' || column_name AS name,
    concat_ws(' ', data_type, collation_name, is_nullable, column_default, identity_generation) AS is
  FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL
  SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL
  SELECT 'function', proname, pg_get_functiondef(oid)
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL
  SELECT 'relation', relname, relkind::text FROM pg_class
  WHERE relnamespace = 'public'::regnamespace
  ORDER BY 1, 2, 3`;

const log = { info: () => undefined, warn: () => undefined };

describe('migrations', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  beforeAll(async () => {
    database = await createTestDatabase('template0');
    dataSource = createDataSource(database.target, ENTITIES, () => undefined);
    await dataSource.initialize();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const schema = async () =>
    (await database.query<{ name: string }>(SCHEMA)).filter(
      // TypeORM's own table of what has been run, which no migration makes.
      ({ name }) => !name.startsWith('migrations') && !name.startsWith('PK_'),
    );
  const undoAll = async () => {
    await migrateDownTo(dataSource, 'Kernel1763600000000', { log });
    await dataSource.undoLastMigration();
  };

  it('run up, down and up again without a trace', async () => {
    await migrate(dataSource, { log });
    const first = await schema();
    expect(first.length).toBeGreaterThan(100);
    expect(await readSchemaState(dataSource)).toMatchObject({ isEmpty: false, pending: [] });

    await undoAll();
    expect(await schema()).toEqual([]);
    expect(await readSchemaState(dataSource)).toMatchObject({ isEmpty: true });

    await migrate(dataSource, { log });
    expect(await schema()).toEqual(first);
  });

  it('change nothing when they are run again', async () => {
    await migrate(dataSource, { log });

    expect(await migrate(dataSource, { log })).toEqual([]);
  });

  it('create the schema that the entities describe', async () => {
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();

    expect(upQueries.map(({ query }) => query)).toEqual([]);
  });

  it('need no superuser and no extension', async () => {
    const rows = await database.query(
      `SELECT extname, rolsuper FROM pg_extension, pg_roles
       WHERE extname <> 'plpgsql' OR (rolname = current_user AND rolsuper)`,
    );

    expect(rows).toEqual([]);
  });
});
