import {
  importAccountLines,
  type ImportAccountLines,
  importAccounts,
  type AccountImportReport,
} from '../../accounts/index.js';
import { OPERATOR } from '../../audit/index.js';
import { readLines } from '../../http/body/input-lines.js';
import { createSessionStore } from '../../sessions/index.js';
import type { CommandContext } from '../command.js';
import { createProgress, createRefusals, openInput } from './import-input.js';

interface ImportValues {
  readonly file: string | undefined;
  readonly refused: string | undefined;
  readonly update: boolean;
  readonly dryRun: boolean;
}

/** Reads accounts from a file or standard input, line by line, and stores them in batches. */
export function importAccountsFrom(
  { dataSource, keyring, stream, messages }: CommandContext,
  values: ImportValues,
) {
  const { update, dryRun } = values;
  const mode = update ? 'update' : 'skip';
  return importFrom({ stream, messages }, values, {
    importBatch: (lines) =>
      dataSource.transaction((manager) => {
        const sessions = createSessionStore(manager, keyring);
        const accounts = lines.map(({ account }) => account);
        return importAccounts(manager, OPERATOR, accounts, {
          mode,
          dryRun,
          endSessions: (_, ...which) => sessions.endAllOf(...which),
        });
      }),
  });
}

/** Reads the lines, and has each batch imported. */
export async function importFrom(
  { stream, messages }: Pick<CommandContext, 'stream' | 'messages'>,
  { file, refused, dryRun }: ImportValues,
  batches: Pick<ImportAccountLines, 'importBatch' | 'maxBytes'>,
) {
  const input = openInput(file, stream);
  const refusals = await createRefusals(refused);
  const started = performance.now();
  try {
    const work = importAccountLines(readLines(input.stream), {
      ...batches,
      onRefused: (line) => refusals.note(line),
      onProgress: createProgress(messages, describe),
    });
    const report = await Promise.race([work, input.failure]);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    return { ...report, dryRun, seconds, refusals: refusals.shown };
  } finally {
    await refusals.close();
  }
}

function describe({ read, created, updated, unchanged, refused }: AccountImportReport): string {
  return `${read} lines read: ${created} created, ${updated} updated, ${unchanged} unchanged, ${refused} refused`;
}
