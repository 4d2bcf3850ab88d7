import type { Command as Program } from 'commander';

import type { NeededSchema } from '../server/instance.js';
import type { Backend, CommandContext } from './context.js';
import type { ValueType } from './value-types.js';

export interface ArgumentDeclaration {
  readonly summary: string;
  /** Text, unless another type is named. */
  readonly type?: ValueType<unknown>;
  readonly required?: true;
  /** It can be given as an option of the same name instead; one of both is required. */
  readonly orOption?: true;
}

export interface OptionDeclaration {
  readonly summary: string;
  /** The word for its value in help. Without one it is a flag. */
  readonly value?: string;
  /** Its former name, which scripts may still use. Help does not show it. */
  readonly formerly?: string;
  /** Text, unless another type is named. */
  readonly type?: ValueType<unknown>;
  readonly required?: true;
  /** It can be given several times: its value is a list, empty by default. */
  readonly repeatable?: true;
  readonly default?: string | number;
}

export type ArgumentDeclarations = Readonly<Record<string, ArgumentDeclaration>>;
export type OptionDeclarations = Readonly<Record<string, OptionDeclaration>>;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type Always = { readonly required: true } | { readonly default: string | number };

type ReadAs<Option> = Option extends { readonly type: ValueType<infer Value> } ? Value : string;

type OptionValue<Option> = Option extends { readonly value: string }
  ? Option extends { readonly repeatable: true }
    ? readonly ReadAs<Option>[]
    : Option extends Always
      ? ReadAs<Option>
      : ReadAs<Option> | undefined
  : boolean;

type ArgumentValue<Argument> = Argument extends
  { readonly required: true } | { readonly orOption: true }
  ? ReadAs<Argument>
  : ReadAs<Argument> | undefined;

/** The values of a command's arguments and options: `--allow-ip` as `allowIp`. */
export type ValuesOf<Arguments, Options> = {
  readonly [Name in keyof Arguments & string as CamelCase<Name>]: ArgumentValue<Arguments[Name]>;
} & {
  readonly [Name in keyof Options & string as CamelCase<Name>]: OptionValue<Options[Name]>;
};

/** The parts of a declaration from which help, completion and the documentation are made. */
interface Described<Arguments, Options> {
  /** As it is called, such as `tenants create`. */
  readonly name: string;
  /** One sentence, for lists of commands. */
  readonly summary: string;
  /** Further paragraphs of its help. */
  readonly details?: string;
  /** In their order. */
  readonly arguments?: Arguments;
  readonly options?: Options;
  /** Complete calls, without the program's name. */
  readonly examples: readonly string[];
  /** The columns of its table that a terminal shows unless `--wide` is given; all by default. */
  readonly columns?: readonly string[];
}

/** A command that uses the database. */
interface DatabaseDeclaration<
  Arguments,
  Options,
  Values,
  Context = CommandContext,
> extends Described<Arguments, Options> {
  /** Asked before anything is done; without it, or where it is `undefined`, nothing is asked. */
  question?(values: Values): string | undefined;
  /** Whether the answer is something to type, which the command judges, and not a mere yes. */
  readonly isTyped?: true;
  /** Whether it reads standard input, which is done before anything is opened: it can take long. */
  readsInput?(values: Values): boolean;
  /** It takes too long for one transaction, and commits piece by piece: `manager` is in none then. */
  readonly commitsItself?: true;
  /**
   * The schema that it needs, `current` by default. A command that ends something must work while a migration waits,
   * and needs `any`.
   */
  readonly schema?: NeededSchema;
  /** @returns what is printed: one JSON value, or a `Listing` */
  run(context: Context, values: Values): Promise<unknown>;
  /** Whether the printed result is a refusal. */
  isRefusal?(result: unknown): boolean;
  /** Said on standard error beside the result, except with `--json`. */
  remark?(result: unknown): string | undefined;
}

/** A command that needs neither settings nor a database. */
interface LocalDeclaration<Arguments, Options, Values> extends Described<Arguments, Options> {
  /** @returns what is printed: one JSON value, or `PlainText` */
  runLocally(values: Values, program: Program): Promise<unknown>;
}

type AnyValues = Readonly<Record<string, unknown>>;

export type DatabaseCommand = DatabaseDeclaration<
  ArgumentDeclarations,
  OptionDeclarations,
  AnyValues,
  Backend
> & {
  /** Whether it also works at a running server. */
  readonly isShared?: boolean;
};
type LocalCommand = LocalDeclaration<ArgumentDeclarations, OptionDeclarations, AnyValues>;

/** One command of the operator's command line. */
export type Command = DatabaseCommand | LocalCommand;

/** Declares a command; the types of its values follow from its arguments and options. */
export function defineCommand<
  const Arguments extends ArgumentDeclarations = Record<never, never>,
  const Options extends OptionDeclarations = Record<never, never>,
>(
  declaration: DatabaseDeclaration<Arguments, Options, ValuesOf<Arguments, Options>>,
): DatabaseCommand {
  return declaration as unknown as DatabaseCommand;
}

/** As `defineCommand`, for one that also works at a running server, over the operator's API. */
export function defineSharedCommand<
  const Arguments extends ArgumentDeclarations = Record<never, never>,
  const Options extends OptionDeclarations = Record<never, never>,
>(
  declaration: DatabaseDeclaration<Arguments, Options, ValuesOf<Arguments, Options>, Backend>,
): DatabaseCommand {
  return { ...declaration, isShared: true } as unknown as DatabaseCommand;
}

/** As `defineCommand`, for one that works without a database. */
export function defineLocalCommand<
  const Arguments extends ArgumentDeclarations = Record<never, never>,
  const Options extends OptionDeclarations = Record<never, never>,
>(declaration: LocalDeclaration<Arguments, Options, ValuesOf<Arguments, Options>>): LocalCommand {
  return declaration as unknown as LocalCommand;
}

/** A command as it was called. */
export interface Call {
  readonly command: Command;
  readonly values: AnyValues;
  readonly isJson: boolean;
  /** Whether questions are answered with yes. */
  readonly isYes: boolean;
  readonly isWide: boolean;
}

export type { CommandContext } from './context.js';
