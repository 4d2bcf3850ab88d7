import type { InputLine } from '../../http/body/input-lines.js';
import { MAX_IMPORTED_ACCOUNTS, type ImportOutcome } from './import-accounts.js';
import { type ImportedAccount, readImportedAccount } from './import-schema.js';

/** Counts of the lines read so far. */
export interface AccountImportReport {
  readonly read: number;
  readonly created: number;
  readonly updated: number;
  /** Accounts that were there already. */
  readonly unchanged: number;
  readonly refused: number;
}

/** A line of an import: the account, and the text that describes it. */
export interface AccountLine {
  readonly line: number;
  readonly text: string;
  readonly account: ImportedAccount;
}

/** The parts of an import around its lines. */
export interface ImportAccountLines {
  /** Imports a batch of accounts. It is committed, or nothing of it. */
  readonly importBatch: (lines: readonly AccountLine[]) => Promise<readonly ImportOutcome[]>;
  /** The longest text of a batch. */
  readonly maxBytes?: number;
  readonly onRefused: (refused: { readonly line: number; readonly reason: string }) => void;
  readonly onProgress: (report: AccountImportReport) => void;
}

/**
 * Imports accounts, one JSON object a line, in batches. A repeated import finds the accounts of the earlier one, so it
 * continues where that one ended.
 */
export async function importAccountLines(
  lines: AsyncIterable<InputLine>,
  { importBatch, maxBytes = Infinity, onRefused, onProgress }: ImportAccountLines,
): Promise<AccountImportReport> {
  const counts = { read: 0, created: 0, updated: 0, unchanged: 0, refused: 0 };
  const batch = createBatch(maxBytes);
  const refuse = (line: number, reason: string) => {
    counts.refused += 1;
    onRefused({ line, reason });
  };
  const commit = async () => {
    const taken = batch.take();
    if (taken.length > 0) {
      const outcomes = await importBatch(taken);
      for (const [index, result] of outcomes.entries()) {
        if (result.outcome === 'refused') refuse(taken[index]?.line ?? 0, result.reason);
        else counts[result.outcome] += 1;
      }
    }
    onProgress({ ...counts });
  };

  for await (const given of lines) {
    if ('text' in given && given.text.trim() === '') continue;
    counts.read += 1;
    const account = 'text' in given ? readImportedAccount(given.text) : given.reason;
    if (typeof account === 'string') {
      refuse(given.line, account);
    } else if ('text' in given) {
      const next = { line: given.line, text: given.text, account };
      if (!batch.hasRoomFor(next)) await commit();
      batch.add(next);
    }
  }
  await commit();
  return counts;
}

/** Lines until a batch is full, or until one names an account of the batch again, which must see its effect. */
function createBatch(maxBytes: number) {
  let lines: AccountLine[] = [];
  let bytes = 0;
  const names = new Set<string>();
  const namesOf = ({ account: { email, externalId } }: AccountLine) => [
    `email ${email}`,
    ...(externalId ? [`id ${externalId}`] : []),
  ];
  return {
    hasRoomFor: (line: AccountLine) =>
      lines.length < MAX_IMPORTED_ACCOUNTS &&
      bytes + Buffer.byteLength(line.text) + 1 <= maxBytes &&
      !namesOf(line).some((name) => names.has(name)),
    add(line: AccountLine) {
      lines.push(line);
      bytes += Buffer.byteLength(line.text) + 1;
      for (const name of namesOf(line)) names.add(name);
    },
    take(): readonly AccountLine[] {
      const taken = lines;
      lines = [];
      bytes = 0;
      names.clear();
      return taken;
    },
  };
}
