import type { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

import { importKeys } from '../../api-keys/index.js';
import {
  type DeclaredForms,
  declareForms,
  KEY_LENGTH,
  type KeyPattern,
  parsePattern,
  PATTERN_FORMS,
  REFRESHED_WITHIN_SECONDS,
} from '../../credentials/index.js';
import { readLines } from '../../http/body/input-lines.js';
import type { CommandContext } from '../command.js';
import { Misuse } from '../errors.js';
import { createProgress, createRefusals, openInput } from './import-input.js';
import { getTenant } from './tenants.js';

interface ImportValues {
  readonly tenant: string;
  readonly prefix: readonly string[];
  readonly pattern: readonly string[];
  readonly file: string | undefined;
  readonly refused: string | undefined;
  readonly noWait: boolean;
}

/** Reads keys from a file or standard input, line by line, and stores them in batches. */
export async function importKeysFrom(
  { dataSource, keyring, config, stream: standardInput, messages }: CommandContext,
  values: ImportValues,
) {
  const forms = readForms(values, config.TOKEN_BRAND);
  const tenant = await getTenant(dataSource.manager, values.tenant);
  const input = openInput(values.file, standardInput);
  const refusals = await createRefusals(values.refused);
  const started = performance.now();
  const isNew = await declareForms(dataSource.manager, forms);
  messages.write(LENGTHS);
  try {
    const work = importKeys(readLines(input.stream), {
      dataSource,
      keyring,
      tenantId: tenant.id,
      forms,
      onRefused: (refused) => refusals.note(refused),
      onProgress: createProgress(
        messages,
        ({ read, imported, alreadyThere, refused }) =>
          `${read} lines read: ${imported} imported, ${alreadyThere} already there, ${refused} refused`,
      ),
    });
    const report = await Promise.race([work, input.failure]);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    if (isNew && !values.noWait) await untilFollowed(started, messages);
    return { tenantId: tenant.id, ...report, seconds, refusals: refusals.shown };
  } finally {
    await refusals.close();
  }
}

/** Until every running server knows a prefix or pattern that was new then. */
async function untilFollowed(since: number, messages: Writable): Promise<void> {
  const left = since + (REFRESHED_WITHIN_SECONDS + 1) * 1000 - performance.now();
  if (left <= 0) return;
  messages.write('Waiting a few seconds until every server knows the new prefix or pattern…\n');
  await pause(left);
}

/** Their SHA-256 does not tell how long they are. */
const LENGTHS = `Keys of fewer than ${KEY_LENGTH.min} characters can be guessed, and are never accepted, imported or not.\n`;

/** @throws Misuse unless at least one prefix or pattern is given, and all are good */
function readForms(
  { prefix: prefixes, pattern }: Pick<ImportValues, 'prefix' | 'pattern'>,
  brand: string,
): DeclaredForms {
  const patterns = pattern.map(readPattern);
  if (prefixes.length + patterns.length === 0) {
    throw new Misuse('--prefix or --pattern is missing: what do the keys look like?');
  }
  for (const prefix of prefixes) assertPrefix(prefix, brand);
  return { prefixes, patterns };
}

function readPattern(name: string): KeyPattern {
  const pattern = parsePattern(name);
  if (pattern === 'too-short') {
    throw new Misuse(
      `--pattern: keys of fewer than ${KEY_LENGTH.min} characters can be guessed, and are never accepted.`,
    );
  }
  if (pattern === 'too-long') {
    throw new Misuse(
      `--pattern: keys of more than ${KEY_LENGTH.max} characters are never accepted.`,
    );
  }
  if (pattern === undefined) throw new Misuse(`--pattern must be ${PATTERN_FORMS}.`);
  return pattern;
}

function assertPrefix(prefix: string, brand: string): void {
  if (!/^[\x21-\x7e]{2,64}$/.test(prefix)) {
    throw new Misuse('--prefix must be 2 to 64 printable characters without blanks.');
  }
  if (prefix.startsWith(`${brand}_`) || `${brand}_`.startsWith(prefix)) {
    throw new Misuse(`--prefix must not be how keys of this place start (${brand}_).`);
  }
}
