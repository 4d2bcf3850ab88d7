import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { runCommandLine } from '../../../src/cli/run.js';
import { TEST_SECRET_KEY } from './app.js';
import type { TestDatabase } from '../database/database.js';

/** Result of one call of the command line. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Makes a function that runs the command line against a database (or `DATA_DIR`), without a terminal and in this process.
 * Tests of the process itself start the built program.
 */
export function createCli(where: Pick<TestDatabase, 'url'> | { readonly DATA_DIR: string }): Cli {
  return createCliWith({
    ...('url' in where ? { DATABASE_URL: where.url } : where),
    SECRET_KEYS: TEST_SECRET_KEY,
  });
}

/** Calls the command line with words and standard input. */
export type Cli = (words: readonly string[], input?: string) => Promise<CliResult>;

/** As `createCli`, with this environment and nothing else. */
export function createCliWith(env: Readonly<Record<string, string>>): Cli {
  return async (words, input = '') => {
    const [output, messages] = [new PassThrough(), new PassThrough()];
    const ended = runCommandLine(words, {
      env,
      directory: '/',
      input: Readable.from([Buffer.from(input)]),
      output,
      messages,
    }).finally(() => {
      output.end();
      messages.end();
    });
    const [code, stdout, stderr] = await Promise.all([ended, text(output), text(messages)]);
    return { code, stdout, stderr };
  };
}
