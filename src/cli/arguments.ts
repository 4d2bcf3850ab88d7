import { parseArgs } from 'node:util';

import { errorMessage } from '../db/errors.js';
import { Misuse, type Arguments, type Command } from './command.js';

const COMMON = { json: { type: 'boolean' }, yes: { type: 'boolean' } } as const;

/**
 * Finds the command that was called and reads its arguments.
 * @throws Misuse if there is no such command, or it doesn't take these arguments
 */
export function readArguments(
  commands: readonly Command[],
  words: readonly string[],
): { command: Command; args: Arguments } {
  const names = words.filter((word) => !word.startsWith('-'));
  const command =
    commands.find(({ name }) => name === names.slice(0, 2).join(' ')) ??
    commands.find(({ name }) => name === names[0]);
  if (command === undefined) throw new Misuse('', usage(commands));

  const rest = [...words];
  for (const word of command.name.split(' ')) rest.splice(rest.indexOf(word), 1);
  const { values, positionals } = parse(command, rest);
  const [least, most] = command.positionals;
  if (positionals.length < least || positionals.length > most) {
    throw new Misuse('', usageOf(command));
  }
  return { command, args: createArguments(command, values, positionals) };
}

/** The usage text: all commands. */
export function usage(commands: readonly Command[]): string {
  const lines = commands.map(({ name, usage: rest, summary }) =>
    [`  ${name} ${rest}`.trimEnd(), `      ${summary}`].join('\n'),
  );
  return [
    'Usage: npm run -s cli -- <command> [--json] [--yes]',
    '',
    ...lines,
    '',
    '  --json  prints one JSON value; --yes answers questions with yes.',
  ].join('\n');
}

function usageOf({ name, usage: rest }: Command): string {
  return `Usage: ${name} ${rest}`;
}

type Values = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>;

function parse(
  command: Command,
  args: string[],
): { values: Values; positionals: readonly string[] } {
  try {
    const options = { ...COMMON, ...command.options };
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new Misuse(errorMessage(error), usageOf(command));
  }
}

function createArguments(
  command: Command,
  values: Values,
  positionals: readonly string[],
): Arguments {
  const option = (name: string) => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    positionals,
    option,
    required(name) {
      const value = option(name);
      if (value === undefined) {
        throw new Misuse(`--${name} is missing.`, usageOf(command));
      }
      return value;
    },
    all: (name) => [values[name] ?? []].flat().filter((value) => typeof value === 'string'),
    flag: (name) => values[name] === true,
  };
}
