import { defineCommand } from '../command.js';
import { Misuse } from '../errors.js';

export const MIGRATE_COMMAND = defineCommand({
  name: 'migrate',
  summary: 'Runs the migrations that the database lacks, without starting a server.',
  options: {
    'dry-run': { summary: 'only list them' },
    'down-to': { value: 'MIGRATION', summary: 'undo the migrations after this one' },
  },
  examples: [
    'cli migrate --dry-run',
    'cli migrate',
    'cli migrate --down-to ImportedKeys1763840000000',
  ],
  schema: 'none',
  commitsItself: true,
  question({ dryRun, downTo }) {
    if (dryRun && downTo !== undefined) {
      throw new Misuse('Give --dry-run or --down-to, not both.');
    }
    if (downTo === undefined) return undefined;
    return `Undo every migration after ${downTo}, with all data that is stored in its tables and columns?`;
  },
  run: async (context, values) =>
    (await import('../actions/migrate.js')).migrateSchema(context, values),
});
