import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Keyring } from '../src/credentials/secrets/keyring.js';
import type { SecretFormat } from '../src/credentials/secrets/format.js';
import type { TemporaryPostgres } from '../test/support/database/temporary-postgres.js';
import type { Pace } from './measure.js';

/** Tools of a suite. */
export interface Bench {
  readonly postgres: TemporaryPostgres;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly pace: Pace;
  /** A folder for files of what is presented. */
  readonly folder: string;
  /** Environment of Gatehouse, besides its database. */
  readonly env: Readonly<Record<string, string>>;
}

const here = path.dirname(fileURLToPath(import.meta.url));

export const SERVERS = {
  floor: path.join(here, 'floor.js'),
  bare: path.join(here, 'bare-provider.js'),
  guardCaller: path.join(here, 'guard-caller.js'),
  gatehouse: path.join(here, '../bundle/main.js'),
  /** The same program as `gatehouse`, a file for each module. */
  separateModules: path.join(here, '../src/main.js'),
  singleQuery: path.join(here, 'single-query.js'),
};

export const FLOOR = 'bare Koa + router (the floor)';
