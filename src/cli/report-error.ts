import { errorMessage } from '../db/errors.js';
import { StartupError } from '../db/startup-error.js';
import { Problem, type FieldError } from '../http/errors/problem.js';
import { Misuse, Refused } from './errors.js';
import { renderJson, renderLines, renderMessage } from './output.js';
import { paint } from './terminal.js';

const REFUSED = 1;
const MISUSED = 2;

/** Why a command failed. */
interface Failure {
  /** A code of the API's problems, `refused` or `misused`. */
  readonly code: string;
  readonly message: string;
  readonly errors?: readonly FieldError[];
  readonly details?: readonly string[];
  /** Lines of our own below the message. */
  readonly usage?: string;
  readonly exitCode: number;
}

/**
 * Tells why a command failed: one sentence, or one JSON object `{error: {code, message, errors?, details?}}`; never a stack.
 * @returns the exit code
 */
export function reportError(
  error: unknown,
  {
    write,
    isJson,
    hasColors,
  }: { write: (text: string) => void; isJson: boolean; hasColors: boolean },
): number {
  const { exitCode, usage, ...failure } = failureOf(error);
  if (isJson) {
    write(`${renderJson({ error: failure })}\n`);
    return exitCode;
  }
  const fields = failure.errors?.map(({ field, message }) => `${field}: ${message}`);
  const below = fields ?? failure.details ?? [];
  const lines = below.map((line) => `  ${renderMessage(line)}`);
  const said = error instanceof StartupError ? renderLines : renderMessage;
  lines.unshift(paint('red', said(failure.message), hasColors));
  if (usage !== undefined) lines.push(usage);
  write(`${lines.join('\n')}\n`);
  return exitCode;
}

function failureOf(error: unknown): Failure {
  if (error instanceof Misuse) {
    const { message, usage } = error;
    const failure = { code: 'misused', message, exitCode: MISUSED };
    return usage === undefined ? failure : { ...failure, usage };
  }
  if (error instanceof Problem) {
    const { code, message, errors } = error;
    const exitCode = code === 'validation_failed' ? MISUSED : REFUSED;
    return errors === undefined ? { code, message, exitCode } : { code, message, errors, exitCode };
  }
  if (error instanceof Refused) {
    const { message, details } = error;
    const failure = { code: 'refused', message, exitCode: REFUSED };
    return details.length === 0 ? failure : { ...failure, details };
  }
  const code = error instanceof StartupError ? 'service_unavailable' : 'internal_error';
  return { code, message: errorMessage(error), exitCode: REFUSED };
}
