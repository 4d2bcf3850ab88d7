import pino, { type DestinationStream, type Logger } from 'pino';

import { errorCode, errorMessage } from '../db/errors.js';

const STANDARD_ERROR = 2;

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
  destination = pino.destination(STANDARD_ERROR),
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
