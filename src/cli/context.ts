import type { Readable, Writable } from 'node:stream';
import type { Logger } from 'pino';
import type { DataSource, EntityManager } from 'typeorm';

import type { Config } from '../config.js';
import type { Keyring, SecretFormat } from '../credentials/index.js';
import type { DatabaseTarget } from '../db/data-source.js';
import type { OperatorClient } from './remote/operator-client.js';

/** The surroundings in which a command that uses the database runs. */
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
  /** The typed answer to a question that asks for more than a yes; `undefined` if it was not asked. */
  readonly typed: string | undefined;
  /** Standard error. */
  readonly log: Logger;
}

/** The surroundings of a command that works at a running server. */
export interface RemoteContext extends Pick<
  CommandContext,
  'input' | 'stream' | 'messages' | 'typed'
> {
  readonly api: OperatorClient;
}

/** Where a shared command works: in this process, on the database, or at a running server. */
export type Backend = CommandContext | RemoteContext;
