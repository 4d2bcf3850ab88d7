import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { EntityManager } from 'typeorm';

import { ACCOUNT_COMMANDS } from './cli/account-commands.js';
import { readArguments, usage } from './cli/arguments.js';
import { CLIENT_COMMANDS } from './cli/client-commands.js';
import { Misuse, Refused, type Arguments, type Command } from './cli/command.js';
import { CREDENTIAL_COMMANDS } from './cli/credential-commands.js';
import { GRANT_COMMANDS } from './cli/grant-commands.js';
import { IMPORT_COMMAND } from './cli/import-command.js';
import { KEY_COMMANDS } from './cli/key-commands.js';
import { Listing, OutputClosed, writeListing } from './cli/listing.js';
import { render, renderLines, renderMessage } from './cli/output.js';
import { MIGRATE_COMMAND } from './cli/migrate-command.js';
import { PRODUCT_COMMANDS } from './cli/product-commands.js';
import { RECOVERY_COMMANDS } from './cli/recovery-commands.js';
import { SIGNING_KEY_COMMANDS } from './cli/signing-key-commands.js';
import { SPACE_COMMANDS } from './cli/space-commands.js';
import { TENANT_COMMANDS } from './cli/tenant-commands.js';
import { VERIFY_COMMAND } from './cli/verify-command.js';
import { readConfig } from './config.js';
import { createSecretFormat } from './credentials/secrets/format.js';
import { errorCode } from './db/errors.js';
import { StartupError } from './db/startup-error.js';
import { Problem } from './http/errors/problem.js';
import { shareInstance, lacksMigrations } from './server/instance.js';
import { createLog } from './server/log.js';

const COMMANDS = [
  ...TENANT_COMMANDS,
  ...SPACE_COMMANDS,
  ...ACCOUNT_COMMANDS,
  ...KEY_COMMANDS,
  IMPORT_COMMAND,
  ...CLIENT_COMMANDS,
  ...GRANT_COMMANDS,
  ...PRODUCT_COMMANDS,
  ...CREDENTIAL_COMMANDS,
  ...RECOVERY_COMMANDS,
  VERIFY_COMMAND,
  ...SIGNING_KEY_COMMANDS,
  MIGRATE_COMMAND,
];

/** PostgreSQL's codes for a missing column, table or function. */
const SCHEMA_LACKS = ['42703', '42P01', '42883'];

const OK = 0;
const REFUSED = 1;
const MISUSED = 2;

/** The streams and environment of a call: those of the process, or of an in-process caller. */
export interface Surroundings {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly directory: string;
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
  /** Questions and errors go here. */
  readonly messages: Writable;
}

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
  try {
    return await run(words, surroundings);
  } catch (error) {
    // The reader closed the pipe, as `head` does. This is not an error.
    if (error instanceof OutputClosed) return OK;
    const { message, code } = explain(error);
    surroundings.messages.write(`${message}\n`);
    return code;
  }
}

async function run(words: readonly string[], surroundings: Surroundings): Promise<number> {
  const { env, directory, input, output, messages } = surroundings;
  if (words.includes('--help') || words[0] === 'help') {
    output.write(`${usage(COMMANDS)}\n`);
    return OK;
  }
  const { command, args } = readArguments(COMMANDS, words);
  const config = readConfig(env, directory);
  const answer = await ask(command, args, surroundings);
  if (answer === 'no') throw new Refused('Nothing was done.');
  // Reads input before the database is opened, so that nothing is open while a person types.
  const given = command.readsInput?.(args) ? await buffer(input) : Buffer.alloc(0);

  const log = createLog({ level: 'warn', brand: config.TOKEN_BRAND, destination: messages });
  const instance = await shareInstance({ config, log, needs: command.schema ?? 'current' });
  try {
    const { dataSource, keyring, target } = instance;
    const format = createSecretFormat({ brand: config.TOKEN_BRAND });
    const typed = answer?.typed;
    const common = { config, dataSource, target, keyring, format, typed, stream: input };
    const perform = (manager: EntityManager) =>
      command.run({ ...common, messages, log, input: given, manager }, args);
    const result = command.commitsItself
      ? await perform(dataSource.manager)
      : await dataSource.transaction(perform);
    const isJson = args.flag('json');
    if (result instanceof Listing) await writeListing(result, { output, messages, isJson });
    else output.write(`${render(result, isJson)}\n`);
    return command.isRefusal?.(result) ? REFUSED : OK;
  } catch (error) {
    const isOld = instance.schema.pending.length > 0;
    const lacks = isOld && SCHEMA_LACKS.includes(errorCode(error) ?? '');
    throw lacks ? lacksMigrations(instance.schema) : error;
  } finally {
    await instance.close();
  }
}

/**
 * @returns the typed answer; `undefined` if there is no question
 * @throws Misuse for a question without a terminal
 */
async function ask(
  { question, isTyped }: Command,
  args: Arguments,
  { input, messages }: Surroundings,
): Promise<'no' | { readonly typed?: string } | undefined> {
  const wanted = question?.(args);
  if (wanted === undefined || args.flag('yes')) return undefined;
  if (input.isTTY !== true) throw new Misuse('This asks a question: answer it ahead with --yes.');
  const terminal = createInterface({ input, output: messages });
  try {
    const asked = renderMessage(wanted);
    if (isTyped) return { typed: await terminal.question(`${asked} `) };
    const answer = await terminal.question(`${asked} [y/N] `);
    return /^y(es)?$/i.test(answer.trim()) ? {} : 'no';
  } finally {
    terminal.close();
  }
}

function explain(error: unknown): { message: string; code: number } {
  if (error instanceof Misuse) {
    const lines = [renderMessage(error.message), error.usage ?? ''].filter(Boolean);
    return { message: lines.join('\n'), code: MISUSED };
  }
  if (error instanceof Problem) {
    const fields = error.errors?.map(({ field, message }) => `${field}: ${message}`) ?? [];
    const lines = [error.message, ...fields.map((text) => `  ${text}`)].map(renderMessage);
    const code = error.code === 'validation_failed' ? MISUSED : REFUSED;
    return { message: lines.join('\n'), code };
  }
  if (error instanceof Refused) return { message: renderMessage(error.message), code: REFUSED };
  if (error instanceof StartupError) return { message: renderLines(error.message), code: REFUSED };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { message: renderLines(message), code: REFUSED };
}
