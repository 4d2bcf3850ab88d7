import { spawn } from 'node:child_process';

/** The system account a program runs as; `undefined` means our own. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** How a program ended. `code` is `undefined` when it could not be run at all or a signal ended it. */
export interface ProgramResult {
  readonly code: number | undefined;
  readonly output: string;
  readonly error: NodeJS.ErrnoException | undefined;
}

/**
 * The spawn options that every PostgreSQL program shares. The environment is ours alone: nothing of the operator's
 * (`PGDATA`, a locale, `SECRET_KEYS`) may reach them. The working directory must be one that the account can enter.
 */
export function programOptions(account: Account | undefined) {
  return {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    ...(account && { uid: account.uid, gid: account.gid }),
  };
}

/** Runs a program to its end and hands back what it said on both streams; never throws. */
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
    // A session of its own: a Ctrl-C in the terminal must not cut short what is half done.
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
