import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { EntityManager } from 'typeorm';

import { readConfig } from '../config.js';
import { createSecretFormat } from '../credentials/index.js';
import { errorCode } from '../db/errors.js';
import { shareInstance, lacksMigrations } from '../server/instance.js';
import { createLog } from '../server/log.js';
import type { Call, CommandContext, DatabaseCommand } from './command.js';
import { Misuse, Refused } from './errors.js';
import { renderMessage } from './output.js';
import { print } from './print.js';
import { readConnection } from './remote/connection.js';
import { createOperatorClient } from './remote/operator-client.js';
import type { Output } from './terminal.js';

/** PostgreSQL's codes for a missing column, table or function. */
const SCHEMA_LACKS = ['42703', '42P01', '42883'];

/** The streams and environment of a call: those of the process, or of an in-process caller. */
export interface Surroundings {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly directory: string;
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Output;
  /** Questions and errors go here. */
  readonly messages: Output;
}

/** Runs a command with its backend. @returns the printed result */
type WithBackend = (
  common: Pick<CommandContext, 'input' | 'stream' | 'messages' | 'typed'>,
  finish: (result: unknown) => Promise<boolean>,
) => Promise<boolean>;

/**
 * Runs a command, on the database or at the server that the environment names, and prints its result.
 * @returns whether the result is a refusal
 */
export async function perform(
  command: DatabaseCommand,
  call: Call,
  surroundings: Surroundings,
): Promise<boolean> {
  const { env, input, output, messages } = surroundings;
  const run = choose(command, call, surroundings);
  const answer = await ask(command, call, surroundings);
  if (answer === 'no') throw new Refused('Nothing was done.');
  // Reads input before anything is opened, so that nothing is open while a person types.
  const given = command.readsInput?.(call.values) ? await buffer(input) : Buffer.alloc(0);
  return run({ input: given, stream: input, messages, typed: answer?.typed }, async (result) => {
    await print(result, call, { env, output, messages });
    const remark = call.isJson ? undefined : command.remark?.(result);
    if (remark !== undefined) messages.write(`${renderMessage(remark)}\n`);
    return command.isRefusal?.(result) ?? false;
  });
}

/** @throws Misuse if the environment names a server at which the command does not work */
function choose(command: DatabaseCommand, call: Call, surroundings: Surroundings): WithBackend {
  const connection = readConnection(surroundings.env);
  if (connection === undefined) return onDatabase(command, call, surroundings);
  if (command.isShared !== true) {
    throw new Misuse(
      `${command.name} works beside the server only, with its environment: unset GATEHOUSE_URL there.`,
    );
  }
  return async (common, finish) => {
    const api = createOperatorClient(connection);
    return finish(await command.run({ ...common, api }, call.values));
  };
}

function onDatabase(
  command: DatabaseCommand,
  call: Call,
  { env, directory, messages }: Surroundings,
): WithBackend {
  const config = readConfig(env, directory);
  const log = createLog({ level: 'warn', brand: config.TOKEN_BRAND, destination: messages });
  return async (common, finish) => {
    const instance = await shareInstance({ config, log, needs: command.schema ?? 'current' });
    try {
      const { dataSource, keyring, target } = instance;
      const format = createSecretFormat({ brand: config.TOKEN_BRAND });
      const context = { ...common, config, dataSource, target, keyring, format, log };
      const run = (manager: EntityManager) => command.run({ ...context, manager }, call.values);
      const result = command.commitsItself
        ? await run(dataSource.manager)
        : await dataSource.transaction(run);
      return await finish(result);
    } catch (error) {
      const isOld = instance.schema.pending.length > 0;
      const lacks = isOld && SCHEMA_LACKS.includes(errorCode(error) ?? '');
      throw lacks ? lacksMigrations(instance.schema) : error;
    } finally {
      await instance.close();
    }
  };
}

/**
 * @returns the typed answer; `undefined` if there is no question
 * @throws Misuse for a question without a terminal
 */
async function ask(
  command: DatabaseCommand,
  { values, isYes }: Call,
  { input, messages }: { input: Surroundings['input']; messages: Writable },
): Promise<'no' | { readonly typed?: string } | undefined> {
  const wanted = command.question?.(values);
  if (wanted === undefined || isYes) return undefined;
  if (input.isTTY !== true) throw new Misuse('This asks a question: answer it ahead with --yes.');
  const terminal = createInterface({ input, output: messages });
  try {
    const asked = renderMessage(wanted);
    if (command.isTyped) return { typed: await terminal.question(`${asked} `) };
    const answer = await terminal.question(`${asked} [y/N] `);
    return /^y(es)?$/i.test(answer.trim()) ? {} : 'no';
  } finally {
    terminal.close();
  }
}
