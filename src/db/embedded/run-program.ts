import { spawn } from 'node:child_process';

/** The system account that a program runs as. `undefined` is the account of this process. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The result of a program. `code` is `undefined` if it could not be run or was ended by a signal. */
export interface ProgramResult {
  readonly code: number | undefined;
  readonly output: string;
  readonly error: NodeJS.ErrnoException | undefined;
}

/**
 * The spawn options of every PostgreSQL program. The operator's environment (`PGDATA`, a locale, `SECRET_KEYS`)
 * is not passed on. The account must be able to enter the working directory.
 */
export function programOptions(account: Account | undefined) {
  return {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(account && { uid: account.uid, gid: account.gid }),
  };
}

/** Runs a program to its end. Never throws. @returns its result with the output of both streams */
export function runProgram({
  file,
  args,
  account,
}: {
  file: string;
  args: readonly string[];
  account: Account | undefined;
}): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const output = () => Buffer.concat(chunks).toString().trim();
    // Detached, so that a Ctrl-C in the terminal does not interrupt it.
    const child = spawn(file, args, {
      ...programOptions(account),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', (error) => resolve({ code: undefined, output: output(), error }));
    child.once('close', (code) =>
      resolve({ code: code ?? undefined, output: output(), error: undefined }),
    );
  });
}
