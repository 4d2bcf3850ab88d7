import { COMMANDS, GROUPS } from './commands/index.js';
import { OutputClosed, print } from './print.js';
import { createProgram, Printed } from './program.js';
import { hasColors, widthOf } from './terminal.js';
import type { Surroundings } from './perform.js';

const OK = 0;
const REFUSED = 1;

/**
 * Runs one command.
 *
 * @param words noun, verb and what follows them
 * @returns the exit code: 0, 1 (refused) or 2 (misused)
 */
export async function runCommandLine(
  words: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const { env, messages } = surroundings;
  try {
    return (await run(words, surroundings)) ? OK : REFUSED;
  } catch (error) {
    // The reader closed the pipe, as `head` does, or asked for help. This is not an error.
    if (error instanceof OutputClosed || error instanceof Printed) return OK;
    const { reportError } = await import('./report-error.js');
    return reportError(error, {
      write: (text) => messages.write(text),
      isJson: words.includes('--json'),
      hasColors: hasColors(messages, env),
    });
  }
}

/** @returns whether it was done, and not refused */
async function run(words: readonly string[], surroundings: Surroundings): Promise<boolean> {
  const { env, output, messages } = surroundings;
  const help = {
    write: (text: string) => output.write(text),
    hasColors: hasColors(output, env),
    width: widthOf(output),
  };
  const tree = createProgram(COMMANDS, GROUPS, help);
  const call = tree.read(words);
  const { command, values } = call;
  if ('runLocally' in command) {
    await print(await command.runLocally(values, tree.program), call, { env, output, messages });
    return true;
  }
  // Loaded only now: help, completion and misuse need neither settings nor a database.
  const { perform } = await import('./perform.js');
  return !(await perform(command, call, surroundings));
}
