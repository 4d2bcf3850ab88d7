import {
  importAccountLines,
  importAccounts,
  type AccountImportReport,
  type ImportMode,
} from '../../accounts/index.js';
import { OPERATOR } from '../../audit/index.js';
import { readLines } from '../../http/body/input-lines.js';
import type { CommandContext } from '../command.js';
import { createProgress, createRefusals, openInput } from './import-input.js';

interface ImportValues {
  readonly file: string | undefined;
  readonly refused: string | undefined;
  readonly update: boolean;
  readonly dryRun: boolean;
}

/** Reads accounts from a file or standard input, line by line, and stores them in batches. */
export async function importAccountsFrom(
  { dataSource, stream: standardInput, messages }: CommandContext,
  { file, refused, update, dryRun }: ImportValues,
) {
  const mode: ImportMode = update ? 'update' : 'skip';
  const input = openInput(file, standardInput);
  const refusals = await createRefusals(refused);
  const started = performance.now();
  try {
    const work = importAccountLines(readLines(input.stream), {
      importBatch: (lines) =>
        dataSource.transaction((manager) =>
          importAccounts(
            manager,
            OPERATOR,
            lines.map(({ account }) => account),
            { mode, dryRun },
          ),
        ),
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
