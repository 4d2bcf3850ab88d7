import { createDataSource } from '../../db/data-source.js';
import { migrate, migrateDownTo, takeMigrationLock } from '../../db/migrate.js';
import { makePartitions } from '../../db/partitions.js';
import { assertNotRestricted, readSchemaState } from '../../db/schema-state.js';
import { ENTITIES } from '../../server/entities.js';
import type { CommandContext } from '../command.js';

/** Migrates without starting a server. Beside `npm start`, nothing else does. */
export async function migrateSchema(
  { target, dataSource, log }: CommandContext,
  { dryRun, downTo }: { readonly dryRun: boolean; readonly downTo: string | undefined },
) {
  if (dryRun) return { pending: (await readSchemaState(dataSource)).pending };
  const starting = createDataSource(
    target,
    ENTITIES,
    (error) => log.warn({ err: error }, 'a database connection broke'),
    'startup',
  );
  await starting.initialize();
  try {
    await takeMigrationLock(starting, { log });
    if (downTo !== undefined) return { undone: await migrateDownTo(starting, downTo, { log }) };
    assertNotRestricted(await readSchemaState(starting));
    const migrated = await migrate(starting, { log });
    await makePartitions(starting);
    return { migrated };
  } finally {
    // The lock goes with its connection.
    await starting.destroy();
  }
}
