import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import type { Config } from '../config.js';
import type { Keyring, ProbedLookup } from '../credentials/index.js';
import type { Task } from '../db/background-work.js';
import type { SigningKeys } from '../signing-keys/index.js';
import type { LOOKUP_QUERIES } from './lookup-queries.js';

export interface AppDependencies {
  readonly config: Config;
  readonly dataSource: DataSource;
  readonly lookup: ProbedLookup<keyof typeof LOOKUP_QUERIES>;
  readonly signingKeys: SigningKeys;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly register: Registry;
  /** The background work of this process; all of it by default. */
  readonly tasks?: readonly Task[];
  /** Whether the server has begun to stop. */
  readonly isStopping: () => boolean;
  /** The clock of sliding windows, in milliseconds since the epoch. */
  readonly clock?: () => number;
}
