import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

import { testServer, type TestDatabase } from './database.js';
import { TEST_SECRET_KEY } from './app.js';

/** What one call of the command line left behind. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Makes a function that runs the built command line against a database, without a terminal. */
export function createCli(
  database: TestDatabase,
): (words: readonly string[], input?: string) => Promise<CliResult> {
  return async (words, input = '') => {
    const child = spawn(process.execPath, [`${testServer().build}/src/cli.js`, ...words], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: database.url,
        SECRET_KEYS: TEST_SECRET_KEY,
      },
    });
    child.stdin.end(input);
    const [code, stdout, stderr] = await Promise.all([
      new Promise<number | null>((resolve) => child.once('close', resolve)),
      text(child.stdout),
      text(child.stderr),
    ]);
    return { code, stdout, stderr };
  };
}
