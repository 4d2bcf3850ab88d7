import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

import { importKeys, type ImportReport, type RefusedLine } from '../api-keys/key-import.js';
import { declarePrefixes, FOLLOWED_WITHIN_SECONDS } from '../credentials/imported-prefixes.js';
import { Misuse, type Command } from './command.js';
import { getTenant } from './tenant-commands.js';

const PROGRESS_EVERY_MS = 2000;
/** As many refused lines are in the report itself; all are in the file, if one is named. */
const SHOWN = 20;

export const IMPORT_COMMAND: Command = {
  name: 'api-keys import',
  usage: '--tenant TENANT --prefix PREFIX… [--file FILE] [--refused FILE] [--no-wait]',
  summary:
    'Imports keys issued elsewhere by their SHA-256: a JSON object a line, {"sha256", "name", "scopes", …}. Can be repeated.',
  options: {
    tenant: { type: 'string' },
    prefix: { type: 'string', multiple: true },
    file: { type: 'string' },
    refused: { type: 'string' },
    'no-wait': { type: 'boolean' },
  },
  positionals: [0, 0],
  commitsItself: true,
  async run({ dataSource, keyring, config, stream: standardInput, messages }, args) {
    const [first, ...others] = args.all('prefix');
    if (first === undefined) throw new Misuse('--prefix is missing: what do the keys start with?');
    for (const prefix of [first, ...others]) assertPrefix(prefix, config.TOKEN_BRAND);
    const tenant = await getTenant(dataSource.manager, args.required('tenant'));
    const input = args.option('file');
    const stream = input === undefined ? standardInput : createReadStream(input);
    const failure = new Promise<never>((_resolve, reject) => stream.once('error', reject));
    failure.catch(() => undefined);
    const refusals = await createRefusals(args.option('refused'));
    const started = performance.now();
    const isNew = await declarePrefixes(dataSource.manager, [first, ...others]);
    try {
      const work = importKeys(createInterface({ input: stream, crlfDelay: Infinity }), {
        ...{ dataSource, keyring, tenantId: tenant.id, prefixes: [first, ...others] },
        onRefused: (refused) => refusals.note(refused),
        onProgress: createProgress(messages),
      });
      const report = await Promise.race([work, failure]);
      const seconds = Math.round((performance.now() - started) / 100) / 10;
      if (isNew && !args.flag('no-wait')) await untilFollowed(started, messages);
      return { tenantId: tenant.id, ...report, seconds, refusals: refusals.shown };
    } finally {
      await refusals.close();
    }
  },
  isRefusal: (result) => (result as ImportReport).refused > 0,
};

/** Until every running server knows a prefix that was new then. */
async function untilFollowed(since: number, messages: Writable): Promise<void> {
  const left = since + (FOLLOWED_WITHIN_SECONDS + 1) * 1000 - performance.now();
  if (left <= 0) return;
  messages.write('Waiting a few seconds until every server knows the new prefix…\n');
  await pause(left);
}

function assertPrefix(prefix: string, brand: string): void {
  if (!/^[\x21-\x7e]{2,64}$/.test(prefix)) {
    throw new Misuse('--prefix must be 2 to 64 printable characters without blanks.');
  }
  if (prefix.startsWith(`${brand}_`) || `${brand}_`.startsWith(prefix)) {
    throw new Misuse(`--prefix must not be how keys of this place start (${brand}_).`);
  }
}

/** Says on standard error how far it is, now and then. */
function createProgress(messages: Writable): (report: ImportReport) => void {
  let last = performance.now();
  return ({ read, imported, alreadyThere, refused }) => {
    if (performance.now() - last < PROGRESS_EVERY_MS) return;
    last = performance.now();
    messages.write(
      `${read} lines read: ${imported} imported, ${alreadyThere} already there, ${refused} refused\n`,
    );
  };
}

async function createRefusals(path: string | undefined) {
  const file = path === undefined ? undefined : await open(path, 'w', 0o600);
  const stream = file?.createWriteStream();
  const shown: RefusedLine[] = [];
  return {
    shown,
    note(refused: RefusedLine) {
      if (shown.length < SHOWN) shown.push(refused);
      stream?.write(`${JSON.stringify(refused)}\n`);
    },
    close: () =>
      new Promise<void>((resolve) => {
        if (stream === undefined) resolve();
        else stream.end(resolve);
      }),
  };
}
