import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';

import { testServer } from '../support/database/database.js';

/** Starts a script that logs with `log`. Nothing of its standard error is read yet. */
function start(script: string) {
  const url = pathToFileURL(join(testServer().build, 'src/server/log.js')).href;
  const source = `
    import { createLog } from '${url}';
    const log = createLog({ level: 'info', brand: 'bwp' });
    ${script}`;
  return spawn(process.execPath, ['--input-type=module', '--eval', source]);
}

/** Runs a script that logs with `log`. @returns how it ended, and what it wrote to standard error */
async function run(
  script: string,
  onText?: (child: ChildProcess) => void,
): Promise<{ code: number | null; lines: readonly string[] }> {
  const child = start(script);
  let written = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    written += chunk;
    onText?.(child);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, lines: written.split('\n').filter((line) => line.startsWith('{')) };
}

const MANY = `for (let n = 0; n < 2000; n += 1) log.info({ n, filler: 'x'.repeat(100) }, 'one');`;

describe('the log', () => {
  it.each([
    ['ends by itself', MANY, 0, 2000],
    ['exits', `${MANY} process.exit(3);`, 3, 2000],
    ['fails', `${MANY} throw new Error('unexpected');`, 1, 2000],
    [
      'exits after a line that is alone',
      `${MANY} setImmediate(() => { log.info({ n: 2000 }, 'one'); process.exit(); });`,
      0,
      2001,
    ],
  ])('holds every line, in order, of a process that %s', async (_how, script, expected, count) => {
    const { code, lines } = await run(script);

    expect(code).toBe(expected);
    const numbers = lines.map((line) => (JSON.parse(line) as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  it('drops lines beyond 4 MiB while standard error is not read, and says how many', async () => {
    const script = `
      for (let round = 0; round < 40; round += 1) {
        for (let n = 0; n < 1000; n += 1) log.info({ n, filler: 'x'.repeat(400) }, 'one');
        await new Promise(setImmediate);
      }
      console.log(process.memoryUsage().rss);`;
    const { stdout, stderr } = start(script);
    // Standard error is read when the script has ended.
    const [first] = (await once(stdout, 'data')) as [Buffer];
    const lines = (await text(stderr)).split('\n').filter((line) => line !== '');
    const entries = lines.map((line) => JSON.parse(line) as { msg: string; lines?: number });
    const dropped = entries.filter(({ msg }) => msg === 'log lines were dropped');
    const told = dropped.reduce((sum, { lines: count = 0 }) => sum + count, 0);
    expect(told).toBeGreaterThan(25_000);
    expect(entries.length - dropped.length + told).toBe(40_000);
    expect(Number(first.toString())).toBeLessThan(300 * 1024 * 1024);
  });

  it('writes a line without waiting for the next one', async () => {
    const endless = `setInterval(() => undefined, 1000);`;
    const { code, lines } = await run(`log.info({}, 'alone'); ${endless}`, (child) =>
      child.kill('SIGKILL'),
    );

    expect(code).toBeNull();
    expect(lines).toHaveLength(1);
  });
});
