import pino, { type DestinationStream, type Logger } from 'pino';

import { errorCode, errorMessage } from '../db/errors.js';

const STANDARD_ERROR = 2;
/** Lines of this time are written together. perf: a write for each line costs a refresh a seventh (decision 7). */
const COLLECT_MS = 5;
/** Characters that are written without waiting for more. */
const COLLECT_LENGTH = 16_384;
/** Characters that wait while standard error is not read. */
const MAX_WAITING_LENGTH = 4 * 1024 * 1024;
/** The time that a write in progress has when the process exits. Its end cannot be seen any more. */
const LAST_WRITE_MS = 50;

/**
 * Structured logs: one JSON object per line, on standard error. Callers log no secrets. As a second line of defence, text
 * that looks like a credential is masked.
 *
 * @param brand `TOKEN_BRAND`, the prefix of credentials
 * @param destination replaces standard error
 */
export function createLog({
  level,
  brand,
  destination = createDestination(),
}: {
  level: string;
  brand: string;
  destination?: DestinationStream;
}): Logger {
  const credential = new RegExp(`\\b(${brand}_[a-z_]{2,10}_)[0-9A-Za-z]{20,}`, 'g');
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      hooks: { streamWrite: (line) => line.replace(credential, '$1…') },
    },
    destination,
  );
}

/**
 * Standard error. Collected lines are written at the latest when the process exits; a kill loses them. While nobody reads
 * standard error, a bounded number waits. Further ones are dropped, and a line tells how many.
 */
function createDestination(): DestinationStream & { flushSync(): void } {
  const stream = pino.destination({
    dest: STANDARD_ERROR,
    sync: false,
    maxLength: MAX_WAITING_LENGTH,
  });
  let collected = '';
  let timer: NodeJS.Timeout | undefined;
  let dropped = 0;
  let isDropped = false;
  let unwrittenBytes = 0;
  stream.on('write', (bytes) => {
    unwrittenBytes -= bytes;
  });
  stream.on('drop', () => {
    isDropped = true;
  });
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (collected === '' && dropped === 0) return;
    isDropped = false;
    const text = `${dropped > 0 ? describeDropped(dropped) : ''}${collected}`;
    stream.write(text);
    if (!isDropped) unwrittenBytes += Buffer.byteLength(text);
    dropped = isDropped ? dropped + countLines(collected) : 0;
    collected = '';
  };
  stream.on('drain', () => {
    if (dropped > 0) flush();
  });
  const flushSync = () => {
    flush();
    if (unwrittenBytes > 0) waitFor(LAST_WRITE_MS);
    stream.flushSync();
  };
  // Before the listener of pino, which fills the pipe while the write in progress may still need room.
  process.prependOnceListener('exit', flushSync);
  return {
    write(line) {
      collected += line;
      if (collected.length >= COLLECT_LENGTH) flush();
      else timer ??= setTimeout(flush, COLLECT_MS);
    },
    flushSync,
  };
}

/** Blocks this thread. Other threads write meanwhile. */
function waitFor(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function describeDropped(lines: number): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ level: 'warn', time, lines, msg: 'log lines were dropped' })}\n`;
}

function countLines(text: string): number {
  return text.split('\n').length - 1;
}

const heldWarnings: string[] = [];

/** Holds warnings of libraries back until `logWarningsOfLibraries`, so that a refused start says its reason alone. */
export function holdWarningsOfLibraries(): void {
  console.warn = (text: unknown) => void heldWarnings.push(String(text));
}

/** Turns warnings that libraries write to the console into log lines. */
export function logWarningsOfLibraries(log: Logger): void {
  console.warn = (text: unknown) => log.warn({}, String(text));
  for (const text of heldWarnings.splice(0)) log.warn({}, text);
}

/**
 * An error without its own properties: those of pg contain the statement's parameters and the failing row.
 */
function describeError(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return String(error);
  return {
    ...('name' in error && { type: error.name }),
    message: errorMessage(error),
    code: errorCode(error),
    ...('stack' in error && { stack: error.stack }),
    ...('cause' in error && error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
