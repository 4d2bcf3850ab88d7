import type { Readable, Writable } from 'node:stream';
import type { ParseArgsConfig } from 'node:util';
import type { Logger } from 'pino';
import type { DataSource, EntityManager } from 'typeorm';

import type { Config } from '../config.js';
import type { Keyring } from '../credentials/secrets/keyring.js';
import type { SecretFormat } from '../credentials/secrets/format.js';
import type { DatabaseTarget } from '../db/data-source.js';
import type { NeededSchema } from '../server/instance.js';

type Options = NonNullable<ParseArgsConfig['options']>;

/** What a command works with. */
export interface CommandContext {
  readonly config: Config;
  readonly dataSource: DataSource;
  /** Where the database is, for commands that need connections of another sort. */
  readonly target: DatabaseTarget;
  /** A transaction that commits when the command succeeds, unless it commits itself. */
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  /** Everything on standard input if the command reads it, else empty. */
  readonly input: Uint8Array;
  /** Standard input itself, for commands that read it line by line. */
  readonly stream: Readable;
  /** Standard error: progress, and hints to the person who waits. */
  readonly messages: Writable;
  /** What was typed in answer to a question that wants more than a yes; `undefined` if it was not asked. */
  readonly typed: string | undefined;
  /** Standard error. */
  readonly log: Logger;
}

/** The words after noun and verb. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** An option's value, `undefined` if it wasn't given. */
  option(name: string): string | undefined;
  /** @throws Misuse if it wasn't given */
  required(name: string): string;
  /** All values of an option that can be repeated. */
  all(name: string): readonly string[];
  flag(name: string): boolean;
}

/** One command of the operator's command line. */
export interface Command {
  /** As it is called, such as `tenants create`. */
  readonly name: string;
  /** What follows the name, for the usage text. */
  readonly usage: string;
  readonly summary: string;
  readonly options: Options;
  /** How many words without a dash it takes: at least, at most. */
  readonly positionals: readonly [number, number];
  /** What is asked before anything is done; without it, or where it is `undefined`, nothing is asked. */
  readonly question?: (args: Arguments) => string | undefined;
  /** Whether the answer is something to type, which the command judges, and not a mere yes. */
  readonly isTyped?: true;
  /** Whether it wants standard input, which is read before anything is opened: it can take long. */
  readonly readsInput?: (args: Arguments) => boolean;
  /** It takes too long for one transaction, and commits piece by piece: `manager` is in none then. */
  readonly commitsItself?: true;
  /**
   * The schema that it needs, `current` by default. A command that ends something must work while a migration waits,
   * and needs `any`.
   */
  readonly schema?: NeededSchema;
  /** @returns what is printed: one JSON value, or a `Listing` */
  readonly run: (context: CommandContext, args: Arguments) => Promise<unknown>;
  /** Whether what was printed is a refusal. */
  readonly isRefusal?: (result: unknown) => boolean;
}

/** The command was called in a way that cannot work; exit code 2. */
export class Misuse extends Error {
  /** @param usage how it is called, in lines of our own */
  constructor(
    message: string,
    readonly usage?: string,
  ) {
    super(message);
  }
}

/** The command was understood and refused; exit code 1. */
export class Refused extends Error {}

const UNITS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** A hundred years; beyond, times leave what JavaScript and PostgreSQL can hold. */
const MAX_SECONDS = 100 * 31_536_000;

/**
 * A duration such as `90d` or `12h`, up to 100 years. The unit is required: a bare number is as likely to be
 * meant in days as in seconds.
 * @param option the option that it is the value of
 * @returns seconds
 * @throws Misuse for anything else, and for 0
 */
export function parseDuration(option: string, text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,9})([smhdwy])$/.exec(text) ?? [];
  const seconds = Number(amount) * (UNITS[unit] ?? 0);
  if (/^\d+$/.test(text)) {
    throw new Misuse(
      `--${option}: "${text}" lacks its unit, such as ${text}d, ${text}h or ${text}m.`,
    );
  }
  if (seconds === 0) {
    throw new Misuse(`--${option}: "${text}" is not a duration such as 90d, 12h or 30m.`);
  }
  if (seconds > MAX_SECONDS) throw new Misuse(`--${option}: "${text}" is longer than 100 years.`);
  return seconds;
}
