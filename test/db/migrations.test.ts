import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import { createDataSource } from '../../src/db/data-source.js';
import { migrate, migrateDownTo } from '../../src/db/migrate.js';
import { readSchemaState } from '../../src/db/schema-state.js';
import { ENTITIES } from '../../src/server/entities.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { schemaOf } from '../support/database/schema.js';

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

  const schema = () => schemaOf(database);
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
