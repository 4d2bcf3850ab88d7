import { Argument, Command as Program, Option, type CommanderError } from 'commander';

import type {
  ArgumentDeclaration,
  Call,
  Command,
  OptionDeclaration,
  OptionDeclarations,
} from './command.js';
import { Misuse } from './errors.js';
import { paint } from './terminal.js';
import type { ValueType } from './value-types.js';
import { readVersion } from './version.js';

/** As it is called in a checkout. */
const PROGRAM_NAME = 'npm run -s cli --';

const EXIT_CODES = `
Exit codes:
  0  done
  1  refused: understood, but not done; or done, with a refusal in the result
  2  misused: the call itself cannot work`;

const COMMON_HEADING = 'Common options:';

const COMMON: OptionDeclarations = {
  json: { summary: 'print one JSON value; an error is one JSON object on standard error' },
  wide: { summary: 'print all columns of a table at full width' },
  yes: { summary: 'answer questions with yes' },
};

/** Sentences of groups whose commands have a noun in common. */
export type Groups = Readonly<Record<string, string>>;

/** Where help is printed. */
export interface HelpOutput {
  readonly write: (text: string) => void;
  readonly hasColors: boolean;
  /** `undefined` without a terminal. */
  readonly width: number | undefined;
}

/** The call printed help or the version: there is nothing else to do. */
export class Printed extends Error {}

/** The commands as a tree, for help and completion, and the reader of calls. */
export interface CommandTree {
  readonly program: Program;
  /**
   * Reads the words of a call.
   * @throws Misuse if there is no such command, or it does not take these words; Printed after help
   */
  read(words: readonly string[]): Call;
}

/** Builds the tree; help is printed where the output says. */
export function createProgram(
  commands: readonly Command[],
  groups: Groups,
  { write, hasColors, width }: HelpOutput,
): CommandTree {
  const calls: Call[] = [];
  const program = new Program(PROGRAM_NAME)
    .usage('<command> [options]')
    .description("Gatehouse's command line for its operator.")
    .version(readVersion(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print help for a command')
    .enablePositionalOptions()
    .configureHelp({
      minWidthToWrap: 20,
      styleTitle: (title) => paint('bold', title, hasColors),
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map(termOf)].join(' '),
      optionTerm: ({ flags }) => flags.replace(/^--\S+, /, ''),
      optionDescription: describe,
      argumentDescription: describe,
    })
    .configureOutput({
      writeOut: write,
      // Errors are thrown, and printed by who called.
      writeErr: () => undefined,
      outputError: () => undefined,
      getOutHelpWidth: () => width ?? 80,
      getOutHasColors: () => hasColors,
    });
  addCommonOptions(program);
  throwErrors(program);
  program.addHelpText('afterAll', EXIT_CODES);
  const parents = new Map<string, Program>();
  for (const command of commands) {
    const [noun = '', verb] = command.name.split(' ');
    if (verb === undefined) {
      addCommand(program, noun, command, calls);
      continue;
    }
    const parent = parents.get(noun) ?? addGroup(program, noun, groups[noun] ?? '');
    parents.set(noun, parent);
    addCommand(parent, verb, command, calls);
  }
  return {
    program,
    read(words) {
      // "help x y" is "x y --help"; the parser's own help command knows one word only.
      const [first, ...path] = words;
      program.parse(first === 'help' ? [...path, '--help'] : words, { from: 'user' });
      const call = calls.pop();
      if (call === undefined) throw new Misuse('A command is missing.');
      return call;
    },
  };
}

/** The description with the default and the choices, as words. */
function describe({ description, defaultValue, argChoices }: Option | Argument): string {
  const notes = [];
  if (argChoices !== undefined) notes.push(`one of ${argChoices.join(', ')}`);
  if (defaultValue !== undefined) notes.push(`${String(defaultValue)} by default`);
  return notes.length === 0 ? description : `${description}: ${notes.join('; ')}`;
}

function termOf(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

function addGroup(program: Program, noun: string, summary: string): Program {
  const group = program.command(noun).usage('<command> [options]').description(summary);
  addCommonOptions(group);
  throwErrors(group);
  return group;
}

function addCommand(parent: Program, name: string, command: Command, calls: Call[]): void {
  const { summary, details, arguments: args = {}, options = {}, examples } = command;
  const added = parent.command(name).summary(summary);
  added.description(details === undefined ? summary : `${summary}\n\n${details}`);
  added.usage(usageOf(command));
  for (const [label, declaration] of Object.entries(args)) addArgument(added, label, declaration);
  for (const [label, declaration] of Object.entries({ ...optionsOfArguments(args), ...options })) {
    added.addOption(optionOf(label, declaration));
  }
  addCommonOptions(added);
  throwErrors(added);
  const lines = examples.map((example) => `  ${example.replace('cli ', `${PROGRAM_NAME} `)}`);
  added.addHelpText('after', ['\nExamples:', ...lines].join('\n'));
  added.action(() => {
    const given = added.optsWithGlobals<Record<string, unknown>>();
    calls.push({
      command,
      values: valuesOf(added, command),
      isJson: given['json'] === true,
      isYes: given['yes'] === true,
      isWide: given['wide'] === true,
    });
  });
}

/** The line of usage: the required parts spelt out, the others as `[options]`. */
function usageOf({ arguments: args = {}, options = {} }: Command): string {
  const words = Object.entries(args).map(([label, { required }]) =>
    required ? `<${label}>` : `[${label}]`,
  );
  for (const [name, { required, value }] of Object.entries(options)) {
    if (required) words.push(`--${name} ${value}`);
  }
  return [...words, '[options]'].join(' ');
}

function optionsOfArguments(args: Readonly<Record<string, ArgumentDeclaration>>) {
  return Object.fromEntries(
    Object.entries(args)
      .filter(([, { orOption }]) => orOption)
      .map(([label, { summary }]) => [
        label,
        { value: label.toUpperCase(), summary: `the same as <${label}>: ${summary}` },
      ]),
  );
}

function addArgument(program: Program, label: string, declaration: ArgumentDeclaration): void {
  const { summary, type, required } = declaration;
  const argument = new Argument(required ? `<${label}>` : `[${label}]`, summary);
  if (type !== undefined) {
    if (type.choices !== undefined) argument.argChoices = [...type.choices];
    argument.argParser((text) => readValue(`<${label}>`, type, text));
  }
  program.addArgument(argument);
}

function optionOf(name: string, declaration: OptionDeclaration): Option {
  const { summary, value, formerly, type, required, repeatable, default: fallback } = declaration;
  const note = repeatable ? ' (can be repeated)' : '';
  const names = formerly === undefined ? `--${name}` : `--${formerly}, --${name}`;
  const flags = value === undefined ? names : `${names} <${value}>`;
  const option = new Option(flags, `${summary}${required ? ' (required)' : note}`);
  if (value === undefined) return option;
  if (fallback !== undefined) option.default(fallback);
  if (type?.choices !== undefined) option.argChoices = [...type.choices];
  option.argParser((text: string, before: unknown) => {
    const read = type === undefined ? text : readValue(`--${name}`, type, text);
    return repeatable ? [...(Array.isArray(before) ? before : []), read] : read;
  });
  return option;
}

/** @throws Misuse that names the option or argument */
function readValue(name: string, type: ValueType<unknown>, text: string): unknown {
  try {
    return type.read(text);
  } catch (error) {
    throw error instanceof Misuse ? new Misuse(sentence(`${name}: ${error.message}`)) : error;
  }
}

function addCommonOptions(program: Program): void {
  for (const [name, { summary }] of Object.entries(COMMON)) {
    program.addOption(new Option(`--${name}`, summary).helpGroup(COMMON_HEADING));
  }
  program.addHelpOption(new Option('-h, --help', 'print help').helpGroup(COMMON_HEADING));
}

/** @throws Misuse where a required option is missing, or an argument was given neither or both ways */
function valuesOf(
  program: Program,
  { arguments: args = {}, options = {} }: Command,
): Record<string, unknown> {
  const given = program.opts<Record<string, unknown>>();
  const values: Record<string, unknown> = {};
  for (const [index, [label, { orOption }]] of Object.entries(args).entries()) {
    const word: unknown = program.processedArgs[index];
    const named = orOption ? given[camelCase(label)] : undefined;
    if (orOption && word !== undefined && named !== undefined) {
      throw new Misuse(`Give <${label}> or --${label}, not both.`, usageLine(program));
    }
    if (orOption && word === undefined && named === undefined) {
      throw new Misuse(`<${label}> is missing.`, usageLine(program));
    }
    values[camelCase(label)] = word ?? named;
  }
  for (const [name, { value, repeatable, required }] of Object.entries(options)) {
    const key = camelCase(name);
    // Not left to the parser, which would report it before an unknown option that was meant.
    if (required && given[key] === undefined) {
      throw new Misuse(`--${name} is missing.`, usageLine(program));
    }
    // The parser turns --no-x into x: false.
    if (value === undefined && name.startsWith('no-')) {
      values[key] = given[camelCase(name.slice('no-'.length))] === false;
    } else if (value === undefined) values[key] = given[key] === true;
    else values[key] = given[key] ?? (repeatable ? [] : undefined);
  }
  return values;
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase());
}

/** Lets a command throw where it would end the process. */
function throwErrors(program: Program): void {
  program.exitOverride((error) => {
    throw outcomeOf(error, program);
  });
}

function outcomeOf(error: CommanderError, program: Program): Error {
  if (error.exitCode === 0) return new Printed();
  if (error.code === 'commander.help') {
    return new Misuse(
      'A command is missing.',
      `\n${program.helpInformation({ error: true })}`.trimEnd(),
    );
  }
  return new Misuse(messageOf(error), usageLine(program));
}

function sentence(text: string): string {
  return /[.?]$/.test(text) ? text : `${text}.`;
}

/** The parser's message as a sentence, without its "error: ". */
function messageOf({ message }: CommanderError): string {
  const [, said = message, hint = ''] =
    /^error: ([\s\S]*?)(?:\n\((Did you mean [^\n]*)\))?$/.exec(message) ?? [];
  const sentence = said.charAt(0).toUpperCase() + said.slice(1).replace(/\.$/, '');
  return hint === '' ? `${sentence}.` : `${sentence}. ${hint}`;
}

function usageLine(program: Program): string {
  const names = [program.name()];
  for (let above = program.parent; above !== null; above = above.parent)
    names.unshift(above.name());
  const path = names.join(' ');
  return `Usage: ${path} ${program.usage()}\nHelp:  ${path} --help`;
}
