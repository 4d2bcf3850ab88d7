import { createDataSource } from '../db/data-source.js';
import { migrate, migrateDownTo, takeMigrationLock } from '../db/migrate.js';
import { makePartitions } from '../db/partitions.js';
import { assertNotRestricted, readSchemaState } from '../db/schema-state.js';
import { ENTITIES } from '../server/entities.js';
import { Misuse, type Command } from './command.js';

/** Migrates without starting a server. Beside `npm start`, nothing else does. */
export const MIGRATE_COMMAND: Command = {
  name: 'migrate',
  usage: '[--dry-run] | --down-to MIGRATION',
  summary:
    'Runs the migrations that the database lacks; --dry-run only lists them. --down-to undoes those after a migration.',
  options: { 'dry-run': { type: 'boolean' }, 'down-to': { type: 'string' } },
  positionals: [0, 0],
  schema: 'none',
  commitsItself: true,
  question: (args) => {
    const target = args.option('down-to');
    if (target === undefined) return undefined;
    return `Undo every migration after ${target}, with all that is stored in what they made?`;
  },
  async run({ target, dataSource, log }, args) {
    const downTo = args.option('down-to');
    if (args.flag('dry-run')) {
      if (downTo !== undefined) throw new Misuse('Give --dry-run or --down-to, not both.');
      return { pending: (await readSchemaState(dataSource)).pending };
    }
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
  },
};
