import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';

const PROGRESS_EVERY_MS = 2000;
/** As many refused lines are in the report itself; all are in the file, if one is named. */
const SHOWN = 20;

/** A line of an import that was not imported. The reason quotes no value. */
export interface RefusedLine {
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
}

/** The input of an import: a file, or standard input. `failure` rejects when it cannot be read. */
export function openInput(file: string | undefined, standardInput: Readable) {
  const stream = file === undefined ? standardInput : createReadStream(file);
  const failure = new Promise<never>((_resolve, reject) => stream.once('error', reject));
  failure.catch(() => undefined);
  return { stream, failure };
}

/** Says on standard error how far it is, now and then. */
export function createProgress<Report>(
  messages: Writable,
  describe: (report: Report) => string,
): (report: Report) => void {
  let last = performance.now();
  return (report) => {
    if (performance.now() - last < PROGRESS_EVERY_MS) return;
    last = performance.now();
    messages.write(`${describe(report)}\n`);
  };
}

/** Keeps the first refused lines for the report, and writes all of them to the file, if one is named. */
export async function createRefusals(path: string | undefined) {
  const file = path === undefined ? undefined : await open(path, 'w', 0o600);
  const stream = file?.createWriteStream();
  const shown: RefusedLine[] = [];
  return {
    shown,
    note(refused: RefusedLine) {
      if (shown.length < SHOWN) shown.push(refused);
      stream?.write(`${JSON.stringify(refused)}\n`);
    },
    close: () =>
      new Promise<void>((resolve) => {
        if (stream === undefined) resolve();
        else stream.end(resolve);
      }),
  };
}
